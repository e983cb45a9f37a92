"""Events as an EPCIS 2.0 document (ISO/IEC 19987) in JSON-LD, in the words of `schemas.epcis`.

Parcels, places and orders are named by URIs in a namespace of the user's, after the templates of CBV 2.0 (section 8)
for private ones: `PREFIX/obj/…`, `PREFIX/loc/…`, `PREFIX/bt/…`, or with colons where the prefix is a URN. No SSCC is
known. Nothing of the customer is told.
"""

import datetime
import json
import re
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import IO, Any
from urllib.parse import quote

import msgspec

from schemas.epcis import HELD, Wording, wording

CONTEXT = "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"

QUERY = """
with told as (
    select event_id, order_id, tracking_number, stage, event_ts, reason, hub, warehouse_id, carrier
    from events
    where order_id is not null
),

-- Movement between hubs is told by the carriers' files; of all else they know, the night has made events.
filed as (
    select
        md5(concat_ws('|', p.order_id, h.carrier, h.tracking_number, h.stage, h.hub, epoch_us(h.scan_ts))) as event_id,
        p.order_id, h.tracking_number, h.stage, h.scan_ts as event_ts, null as reason, h.hub, null as warehouse_id,
        h.carrier
    from (select distinct carrier, tracking_number, stage, hub, scan_ts from hub_scans) h
    -- Of orders that had one waybill number, it is the one whose parcel was under way.
    asof join (from parcels where carrier is not null) p
        on h.carrier = p.carrier and h.tracking_number = p.tracking_number and h.scan_ts >= p.first_event_ts
    where h.stage in ('in_transit', 'hub_in', 'hub_out')
),

both_sides as (
    from told
    union all by name
    from filed
    anti join told using (order_id, tracking_number, stage, event_ts)
)

select
    both_sides.* exclude (warehouse_id, carrier),
    coalesce(both_sides.warehouse_id, parcels.warehouse_id) as warehouse_id,
    coalesce(both_sides.carrier, parcels.carrier) as carrier,
    coalesce(event_ts > least(return_started_at, returned_at), false) as returning
from both_sides
join parcels using (order_id, tracking_number)
"""
"""All that happened to parcels whose order is known, one row an event."""

_AT_WAREHOUSE = ("picked", "packed", "labeled")
_PREFIX = re.compile(r"https?://[a-z0-9.-]+(:\d+)?(/[\w.~-]+)*|urn:[a-z0-9][a-z0-9-]{1,31}(:[\w.~-]+)+", re.ASCII)


def is_prefix(text: str) -> bool:
    """Say whether a text can stand before our names: a URL or URN without an end.

    >>> is_prefix("https://id.example.com/parcels"), is_prefix("id.example.com")
    (True, False)
    """
    return bool(_PREFIX.fullmatch(text))


def object_event(row: Mapping[str, Any], prefix: str) -> dict[str, Any] | None:
    """Give one event as an ObjectEvent; None where the standard has no word for it.

    Args:
        row: a row of `QUERY`.
        prefix: see `is_prefix`.
    """
    words = wording(row["stage"], row["reason"], returning=row["returning"])
    if words is None:
        return None
    # By the standard the offset is the one in force at the place, which the lake does not keep: its times are in UTC.
    time = row["event_ts"].astimezone(datetime.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    event = {
        "type": "ObjectEvent",
        "eventID": uuid.uuid5(uuid.NAMESPACE_URL, f"{prefix} {row['event_id']}").urn,
        "eventTime": time,
        "eventTimeZoneOffset": "+00:00",
        "epcList": [_name(prefix, "obj", row["order_id"], row["tracking_number"])],
        "action": "OBSERVE",
        "bizStep": words.biz_step,
    }
    if words.disposition:
        event["disposition"] = words.disposition
    event |= _places(row, prefix, words)
    event["bizTransactionList"] = [{"type": "po", "bizTransaction": _name(prefix, "bt", row["order_id"])}]
    if words is HELD:
        event["milepost:reason"] = row["reason"]
    return event


def write_document(
    rows: Iterable[Mapping[str, Any]], prefix: str, created: datetime.datetime, sink: IO[str]
) -> tuple[int, Counter[str]]:
    """Write rows of `QUERY` as a document, one event a line; give how many, and the stages of what was left out.

    Args:
        rows: in the order in which they are to stand.
        prefix: see `is_prefix`.
        created: when the document is made.
        sink: where it goes, piece by piece.
    """
    head = {
        "@context": [CONTEXT, {"milepost": f"{prefix}{_joint(prefix)}milepost{_joint(prefix)}"}],
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": created.astimezone(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    sink.write(json.dumps(head)[:-1] + ', "epcisBody": {"eventList": [')
    count, left_out = 0, Counter[str]()
    for row in rows:
        event = object_event(row, prefix)
        if event is None:
            left_out[row["stage"]] += 1
        else:
            sink.write((",\n" if count else "\n") + msgspec.json.encode(event).decode())
            count += 1
    sink.write("\n]}}\n")
    return count, left_out


def _places(row: Mapping[str, Any], prefix: str, words: Wording) -> dict[str, Any]:
    """Give where it happened, and where the parcel is from then on: nowhere known once it has left."""
    if row["hub"]:
        place = _name(prefix, "loc", row["carrier"] or "", row["hub"])
    elif row["stage"] in _AT_WAREHOUSE and row["warehouse_id"]:
        place = _name(prefix, "loc", row["warehouse_id"])
    else:
        return {}
    stays = words.biz_step in ("picking", "packing", "staging_outbound", "arriving", "holding", "inspecting")
    return {"readPoint": {"id": place}} | ({"bizLocation": {"id": place}} if stays else {})


def _name(prefix: str, kind: str, *parts: str) -> str:
    """Give the URI of a thing: no part, whatever it holds, can be taken for another."""
    joint = _joint(prefix)
    # Dots alone would be steps in a path.
    said = (quote(part, safe="") if part.strip(".") else part.replace(".", "%2E") for part in parts)
    return f"{prefix}{joint}{kind}{joint}{':'.join(said)}"


def _joint(prefix: str) -> str:
    return ":" if prefix.startswith("urn:") else "/"
