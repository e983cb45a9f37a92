"""Delhivery: one status of one shipment a message; the codes are those of its bulk files."""

from collections.abc import Iterator
from typing import ClassVar, Optional

import msgspec
from msgspec import Struct

from services.gateway.senders import plain
from services.gateway.senders.adapter import Said, Scan, decode
from services.gateway.senders.options import Header
from services.gateway.senders.times import INDIA, instant
from services.gateway.senders.tokens import TokenAdapter, TokenOptions


class DelhiveryOptions(TokenOptions, kw_only=True, frozen=True):
    """What may be set of Delhivery."""

    header: Header = "authorization"


class _Status(Struct, rename="pascal"):
    status: str
    status_type: str
    status_date_time: str
    status_location: Optional[str] = None


class _Shipment(Struct, rename={"awb": "AWB", "status": "Status", "nsl": "NSLCode", "reference": "ReferenceNo"}):
    awb: str | int
    status: _Status
    nsl: Optional[str] = None
    reference: str | int | None = None


class _Message(Struct, rename="pascal"):
    shipment: _Shipment


_MESSAGE = msgspec.json.Decoder(_Message)


class Delhivery(TokenAdapter):
    """Proves itself by the header that was agreed upon."""

    kind: ClassVar[str] = "delhivery"
    options_type: ClassVar[type[TokenOptions]] = DelhiveryOptions

    def read(self, body: bytes) -> Iterator[Said]:
        """Give the one status."""
        shipment = decode(body, _MESSAGE).shipment
        status = shipment.status
        yield Scan(
            self.kind,
            plain.waybill(shipment.awb, "AWB"),
            (status.status_type, status.status, shipment.nsl or ""),
            instant(status.status_date_time, "StatusDateTime", INDIA),
            plain.place(status.status_location),
            self.order(shipment.reference, "ReferenceNo"),
        )
