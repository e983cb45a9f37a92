"""ClickPost: one status of one waybill, in its own codes, and beside it the newest that ClickPost has."""

from collections.abc import Iterator
from typing import ClassVar, Optional

import msgspec
from msgspec import Struct

from services.gateway.senders import plain
from services.gateway.senders.adapter import Said, Scan, decode
from services.gateway.senders.options import Header
from services.gateway.senders.sender import Malformed
from services.gateway.senders.times import INDIA, instant
from services.gateway.senders.tokens import TokenAdapter, TokenOptions


class ClickPostOptions(TokenOptions, kw_only=True, frozen=True):
    """What may be set of ClickPost; `carriers` names its courier partners by their cp_id."""

    header: Header = "webhook_key"


class _Status(Struct):
    clickpost_status_code: int
    timestamp: str
    location: Optional[str] = None
    reference_number: str | int | None = None


class _Additional(Struct):
    order_id: str | int | None = None
    is_rvp: Optional[bool] = None
    ndr_status_code: str | int | None = None
    latest_status: Optional[_Status] = None


class _Message(_Status, kw_only=True):
    waybill: str | int
    cp_id: int
    additional: Optional[_Additional] = None


_MESSAGE = msgspec.json.Decoder(_Message)


class ClickPost(TokenAdapter):
    """Proves itself by the key that was given to it."""

    kind: ClassVar[str] = "clickpost"
    options_type: ClassVar[type[TokenOptions]] = ClickPostOptions

    def read(self, body: bytes) -> Iterator[Said]:
        """Give the status, and the newest one."""
        message = decode(body, _MESSAGE)
        more = message.additional or _Additional()
        newest = more.latest_status
        order_id = self.order(more.order_id or (newest.reference_number if newest else None), "order_id")
        carrier = self.options.carriers.get(str(message.cp_id))
        if carrier is None and order_id is None:
            raise Malformed("cp_id is not among the sender's carriers, and there is no order_id to go by")
        number = plain.waybill(message.waybill, "waybill")
        ndr = "" if more.ndr_status_code is None else str(more.ndr_status_code)
        for status in [message, *([newest] if newest else [])]:
            yield Scan(
                carrier,
                number,
                # The reason of a failed delivery goes with the status that the message is about.
                (str(status.clickpost_status_code), ndr if _same(status, message) else ""),
                # Written with a Z, and yet it is the time of India.
                instant(status.timestamp.removesuffix("Z"), "timestamp", INDIA),
                plain.place(status.location),
                order_id,
                returning=bool(more.is_rvp),
            )


def _same(one: _Status, other: _Status) -> bool:
    return (one.clickpost_status_code, one.timestamp) == (other.clickpost_status_code, other.timestamp)
