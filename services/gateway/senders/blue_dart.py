"""Blue Dart: scans of several shipments, in full or in the flat Lite form; the codes are those of its bulk files."""

from collections.abc import Iterator
from typing import ClassVar, Optional

import msgspec
from msgspec import Struct

from schemas.profiles import read_profiles
from services.gateway.senders import plain
from services.gateway.senders.adapter import Said, Scan, decode
from services.gateway.senders.options import Header
from services.gateway.senders.sender import Malformed
from services.gateway.senders.times import local
from services.gateway.senders.tokens import TokenAdapter, TokenOptions

_FORMATS = ("%d-%m-%Y %H%M", "%d-%m-%Y %H:%M")


class BlueDartOptions(TokenOptions, kw_only=True, frozen=True):
    """What may be set of Blue Dart: the names of its headers are agreed upon."""

    header: Header = "token"


class _Detail(Struct, rename="pascal"):
    scan_group_type: Optional[str] = None
    scan_code: str | int | None = None
    scan_date: Optional[str] = None
    scan_time: Optional[str] = None
    scanned_location_code: Optional[str] = None
    status_time_zone: Optional[str] = None


class _Scans(Struct, rename="pascal"):
    scan_detail: list[_Detail] | _Detail = []


class _Shipment(_Detail, rename="pascal", kw_only=True):
    waybill_no: str | int
    ref_no: str | int | None = None
    shipment_mode: Optional[str] = None
    scans: Optional[_Scans] = None


class _Record(Struct, rename="pascal"):
    shipment: _Shipment


class _Message(Struct):
    statustracking: list[_Record]


_MESSAGE = msgspec.json.Decoder(_Message)


class BlueDart(TokenAdapter):
    """Proves itself by a licence key, beside the client's id."""

    kind: ClassVar[str] = "blue_dart"
    options_type: ClassVar[type[TokenOptions]] = BlueDartOptions

    def read(self, body: bytes) -> Iterator[Said]:
        """Give each scan of each shipment."""
        for record in decode(body, _MESSAGE).statustracking:
            shipment = record.shipment
            number = plain.waybill(shipment.waybill_no, "WaybillNo")
            order_id = self.order(shipment.ref_no, "RefNo")
            details = shipment.scans.scan_detail if shipment.scans else shipment
            for detail in details if isinstance(details, list) else [details]:
                # The codes are three characters; a number has lost its zeros.
                code = f"{detail.scan_code:03}" if isinstance(detail.scan_code, int) else detail.scan_code or ""
                yield Scan(
                    self.kind,
                    number,
                    (detail.scan_group_type or "", code),
                    _time(detail),
                    plain.place(detail.scanned_location_code),
                    order_id,
                    returning=shipment.shipment_mode == "R",
                )


def _time(detail: _Detail) -> int:
    zone = read_profiles()["blue_dart"].zone.names.get(detail.status_time_zone or "")
    if zone is None:
        raise Malformed("StatusTimeZone is no zone")
    return local(f"{detail.scan_date} {detail.scan_time}", _FORMATS, zone, "ScanDate and ScanTime")
