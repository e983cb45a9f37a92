"""UPS Track Alert: one activity of one parcel a message; the codes are those of its bulk files."""

from collections.abc import Iterator
from typing import ClassVar, Optional

import msgspec
from msgspec import Struct

from schemas.fields import Micros
from services.gateway.senders import plain
from services.gateway.senders.adapter import Said, Scan, decode
from services.gateway.senders.options import Header
from services.gateway.senders.times import local, offset
from services.gateway.senders.tokens import Scheme, TokenAdapter, TokenOptions

_FORMAT = ("%Y%m%d %H%M%S",)


class UpsOptions(TokenOptions, kw_only=True, frozen=True):
    """What may be set of UPS."""

    header: Header = "authorization"
    scheme: Scheme = "bearer"
    client_header: Header = "x-api-key"


class _Location(Struct):
    city: Optional[str] = None


class _Status(Struct, rename="camel"):
    type: Optional[str] = None
    code: Optional[str] = None
    description_code: Optional[str] = None


class _Activity(Struct, rename="camel"):
    tracking_number: str
    activity_status: _Status
    activity_location: Optional[_Location] = None
    local_activity_date: Optional[str] = None
    local_activity_time: Optional[str] = None
    gmt_activity_date: Optional[str] = None
    gmt_activity_time: Optional[str] = None
    gmt_offset: Optional[str] = None


_ACTIVITY = msgspec.json.Decoder(_Activity)


class Ups(TokenAdapter):
    """Proves itself by the bearer token that the subscription named."""

    kind: ClassVar[str] = "ups"
    options_type: ClassVar[type[TokenOptions]] = UpsOptions

    def read(self, body: bytes) -> Iterator[Said]:
        """Give the one activity."""
        activity = decode(body, _ACTIVITY)
        status = activity.activity_status
        yield Scan(
            self.kind,
            plain.waybill(activity.tracking_number, "trackingNumber"),
            (status.type or "", status.code or "", (status.description_code or "").lstrip("0")),
            _time(activity),
            plain.place((activity.activity_location or _Location()).city),
        )


def _time(activity: _Activity) -> Micros:
    if activity.gmt_activity_date and activity.gmt_activity_time:
        written = f"{activity.gmt_activity_date} {activity.gmt_activity_time}"
        return local(written, _FORMAT, "UTC", "gmtActivityDate and gmtActivityTime")
    written = f"{activity.local_activity_date} {activity.local_activity_time}"
    zone = offset(activity.gmt_offset or "", "gmtOffset")
    return local(written, _FORMAT, zone, "localActivityDate and localActivityTime")
