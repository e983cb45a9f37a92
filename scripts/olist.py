"""Turn the published Olist CSV files into Milepost's events: `python scripts/olist.py SRC DEST`.

    SRC     folder with the orders, order items, customers and sellers, named as published
    DEST    a file ending in .jsonl or .jsonl.gz, or a folder in which events.jsonl is written

A shipment is what one seller sends of one order: tracking number `<order_id>-<k>`, sellers counted by their id. An
order of which no item is known is one shipment of warehouse `unknown`. What a file does not tell is null.

    order_approved_at                            picked
    order_delivered_carrier_date                 carrier_scanned
    order_delivered_customer_date                delivered
    status canceled or unavailable, undelivered  cancelled, at the last time known of the order
    order_estimated_delivery_date                the promise: the last second of that day

Exit codes: 0 done, 1 failed, 2 wrong usage or unusable input.
"""

import argparse
import csv
import datetime
import gzip
import os
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from schemas.events import WireEvent
from schemas.stages import RANK

Row = Mapping[str, str]

SAO_PAULO = ZoneInfo("America/Sao_Paulo")

FILES = {
    "orders": (
        "order_id",
        "customer_id",
        "order_status",
        "order_purchase_timestamp",
        "order_approved_at",
        "order_delivered_carrier_date",
        "order_delivered_customer_date",
        "order_estimated_delivery_date",
    ),
    "order_items": ("order_id", "seller_id", "price"),
    "customers": ("customer_id", "customer_unique_id", "customer_state"),
    "sellers": ("seller_id", "seller_state"),
}
"""What is read: each file by its short name, and the columns it must have."""


class SourceError(ValueError):
    """Olist files that cannot be used; its text is one clear sentence."""


class Olist(NamedTuple):
    """The data set as read: the orders, and what is looked up for each of them."""

    orders: Sequence[Row]
    prices: Mapping[str, Mapping[str, Decimal]]
    """Of each order and each of its sellers, the sum of the items' prices in BRL."""
    customers: Mapping[str, Row]
    sellers: Mapping[str, Row]


def read_olist(folder: Path) -> Olist:
    """Read the four files of a folder.

    Raises:
        SourceError: a file is missing, or is not what its name says.
    """
    prices: dict[str, dict[str, Decimal]] = defaultdict(dict)
    for item in _rows(folder, "order_items"):
        of_order, seller = prices[item["order_id"]], item["seller_id"]
        of_order[seller] = of_order.get(seller, Decimal(0)) + _price(item["price"])
    return Olist(
        orders=list(_rows(folder, "orders")),
        prices=prices,
        customers={row["customer_id"]: row for row in _rows(folder, "customers")},
        sellers={row["seller_id"]: row for row in _rows(folder, "sellers")},
    )


def events(olist: Olist) -> list[WireEvent]:
    """Give all events, in the order of their times; those of one time in the order of the journey.

    Raises:
        SourceError: a time cannot be read.
    """
    told = [event for order in olist.orders for event in _events_of(order, olist)]
    return sorted(told, key=lambda event: (event.event_ts, event.tracking_number, RANK[event.stage]))


def convert(source: Path, dest: Path) -> tuple[Path, int]:
    """Convert the files of a folder; give the file written, complete or not at all, and its number of events.

    Raises:
        SourceError: the source cannot be used.
        OSError: the destination cannot be written.
    """
    told = events(read_olist(source))
    target = dest if dest.name.endswith((".jsonl", ".jsonl.gz")) else dest / "events.jsonl"
    lines = msgspec.json.Encoder().encode_lines(told)
    # Without a time of its own the packed file is the same bytes each time.
    _write(target, gzip.compress(lines, mtime=0) if target.suffix == ".gz" else lines)
    return target, len(told)


def utc(text: str) -> datetime.datetime | None:
    """Give a local time of São Paulo in UTC; None for no text.

    Where the clock is turned back, the hour that comes twice is read as the later one, so that a day ends when it
    is over; the hour left out in spring is read as if the clock had not been turned yet.

    >>> utc("2018-02-17 23:59:59").isoformat(), utc("2017-10-15 00:30:00").isoformat()
    ('2018-02-18T02:59:59+00:00', '2017-10-15T03:30:00+00:00')

    Raises:
        SourceError: the text is no time.
    """
    if not text:
        return None
    try:
        local = datetime.datetime.fromisoformat(text).replace(tzinfo=SAO_PAULO)
    except ValueError as fault:
        raise SourceError(f"{text!r} is no time; one such as 2018-02-17 23:59:59 is expected.") from fault
    return max(local.replace(fold=fold).astimezone(datetime.UTC) for fold in (0, 1))


def _events_of(order: Row, olist: Olist) -> Iterator[WireEvent]:
    times = _times(order)
    promised = order["order_estimated_delivery_date"]
    promise = utc(f"{promised[:10]} 23:59:59") if promised else None
    customer = olist.customers.get(order["customer_id"], {})
    shares: Mapping[str, Decimal | None] = olist.prices.get(order["order_id"]) or {"": None}
    for number, (seller, value) in enumerate(sorted(shares.items()), start=1):
        tracking_number = f"{order['order_id']}-{number}"
        for stage, event_ts in times.items():
            yield WireEvent(
                event_id=f"{tracking_number}-{stage}",
                stage=stage,
                tracking_number=tracking_number,
                event_ts=event_ts,
                order_id=order["order_id"],
                customer_id=customer.get("customer_unique_id") or None,
                warehouse_id=seller or "unknown",
                carrier="olist",
                promised_delivery_ts=promise,
                origin_region=olist.sellers.get(seller, {}).get("seller_state") or None,
                dest_region=customer.get("customer_state") or None,
                declared_value=None if value is None else float(value),
                currency="BRL",
            )


def _times(order: Row) -> dict[str, datetime.datetime]:
    """Give the stages that all shipments of an order went through, and when."""
    purchased = utc(order["order_purchase_timestamp"])
    times = {
        "picked": utc(order["order_approved_at"]),
        "carrier_scanned": utc(order["order_delivered_carrier_date"]),
        "delivered": utc(order["order_delivered_customer_date"]),
    }
    known = {stage: at for stage, at in times.items() if at is not None}
    if order["order_status"] in ("canceled", "unavailable") and "delivered" not in known:
        until = [*known.values(), *([purchased] if purchased else [])]
        return known | ({"cancelled": max(until)} if until else {})
    return known


def _rows(folder: Path, name: str) -> Iterator[Row]:
    path = _find(folder, name)
    try:
        # Some copies of the data set begin with a byte order mark.
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, restval="")
            missing = [column for column in FILES[name] if column not in (reader.fieldnames or ())]
            if missing:
                raise SourceError(f"{path} has no column {', '.join(missing)}.")
            yield from reader
    except (OSError, UnicodeDecodeError, csv.Error) as fault:
        raise SourceError(f"{path} cannot be read: {getattr(fault, 'strerror', None) or fault}.") from fault


def _find(folder: Path, name: str) -> Path:
    if not folder.is_dir():
        raise SourceError(f"{folder} is no folder.")
    choices = [f"{name}.csv", f"olist_{name}_dataset.csv"]
    for choice in choices:
        if (folder / choice).is_file():
            return folder / choice
    raise SourceError(f"{folder} has no file {' or '.join(choices)}.")


def _price(text: str) -> Decimal:
    try:
        return Decimal(text or 0)
    except InvalidOperation as fault:
        raise SourceError(f"{text!r} is no price.") from fault


def _write(target: Path, content: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        partial.write_bytes(content)
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the converter; give its exit code."""
    parser = argparse.ArgumentParser(prog="olist.py", description="Turn the published Olist files into events.")
    parser.add_argument("source", type=Path, metavar="SRC", help="folder with the published CSV files")
    parser.add_argument("dest", type=Path, metavar="DEST", help="a .jsonl or .jsonl.gz file, or a folder")
    args = parser.parse_args(argv)
    try:
        target, count = convert(args.source, args.dest)
    except SourceError as fault:
        print(f"olist.py: {fault}", file=sys.stderr)
        return 2
    except OSError as fault:
        print(f"olist.py: {args.dest} cannot be written: {fault.strerror}.", file=sys.stderr)
        return 1
    print(f"{target}: {count:,} events")
    return 0


if __name__ == "__main__":
    sys.exit(main())
