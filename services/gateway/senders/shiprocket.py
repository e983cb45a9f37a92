"""Shiprocket: the newest status of a shipment and its scans, with ids that differ between its own lists."""

import re
from collections.abc import Iterator
from typing import ClassVar, Optional

import msgspec
from msgspec import Struct

from services.gateway.senders import plain
from services.gateway.senders.adapter import Said, Scan, decode
from services.gateway.senders.options import Header
from services.gateway.senders.times import INDIA, local
from services.gateway.senders.tokens import TokenAdapter, TokenOptions

_NONE = ("", "na")


class ShiprocketOptions(TokenOptions, kw_only=True, frozen=True):
    """What may be set of Shiprocket."""

    header: Header = "x-api-key"


class _Scan(Struct, rename={"sr_status": "sr-status", "label": "sr-status-label"}):
    date: str
    location: Optional[str] = None
    sr_status: str | int | None = None
    label: Optional[str] = None


class _Shipment(Struct):
    awb: str | int
    courier_name: str
    current_status: Optional[str] = None
    current_status_id: str | int | None = None
    current_timestamp: Optional[str] = None
    order_id: str | int | None = None
    sr_order_id: str | int | None = None
    is_return: int | bool | None = None
    scans: Optional[list[_Scan]] = None


_SHIPMENT = msgspec.json.Decoder(_Shipment)


class Shiprocket(TokenAdapter):
    """Proves itself by a shared token, and by nothing else."""

    kind: ClassVar[str] = "shiprocket"
    options_type: ClassVar[type[TokenOptions]] = ShiprocketOptions

    def read(self, body: bytes) -> Iterator[Said]:
        """Give each scan, and the newest status where no scan tells it."""
        shipment = decode(body, _SHIPMENT)
        of_all = Scan(
            self.carrier(shipment.courier_name, "courier_name", with_service=True),
            plain.waybill(shipment.awb, "awb"),
            (),
            0,
            order_id=self.order(_order(shipment), "order_id"),
            returning=bool(shipment.is_return),
        )
        told = set()
        for scan in shipment.scans or []:
            label = _normal(scan.label)
            told.add(label)
            if label in _NONE:
                yield None
                continue
            code, doubtful = self._code(str(scan.sr_status), label)
            ts = local(scan.date, ("%Y-%m-%d %H:%M:%S",), INDIA, "scans.date")
            yield of_all._replace(code=code, ts=ts, place=plain.place(scan.location), doubtful=doubtful)
        label = _normal(shipment.current_status)
        if label not in told and label not in _NONE and shipment.current_timestamp:
            code, doubtful = self._code(str(shipment.current_status_id), label)
            ts = local(shipment.current_timestamp, ("%d %m %Y %H:%M:%S",), INDIA, "current_timestamp")
            yield of_all._replace(code=code, ts=ts, doubtful=doubtful)

    def _code(self, identity: str, label: str) -> tuple[tuple[str, str], bool]:
        """Give the code as the table has it: the label decides, and an id that disagrees with it is noted."""
        if (identity, label) in self.table.known:
            return (identity, label), False
        for known in self.table.known:
            if known[1] == label:
                return (known[0], label), True
        return (identity, label), False


def _order(shipment: _Shipment) -> str | None:
    """Give the shop's order: Shiprocket puts its own id behind it."""
    written = "" if shipment.order_id is None else str(shipment.order_id)
    return written.removesuffix(f"_{shipment.sr_order_id}") if shipment.sr_order_id else written


def _normal(label: str | None) -> str:
    return " ".join(re.findall("[a-z0-9]+", (label or "").lower()))
