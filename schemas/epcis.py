"""Our stages in the words of GS1's Core Business Vocabulary (CBV 2.0), as EPCIS 2.0 events tell them."""

import re
from typing import NamedTuple, Optional


class Wording(NamedTuple):
    """What the standard calls a stage: its business step, and the state that a parcel is in after it."""

    biz_step: str
    disposition: Optional[str]


WORDINGS: dict[str, Wording] = {
    "picked": Wording("picking", "in_progress"),
    "packed": Wording("packing", "in_progress"),
    "labeled": Wording("staging_outbound", "in_progress"),
    "carrier_scanned": Wording("shipping", "in_transit"),
    "in_transit": Wording("transporting", "in_transit"),
    "hub_in": Wording("arriving", "in_transit"),
    "hub_out": Wording("departing", "in_transit"),
    "out_for_delivery": Wording("transporting", "in_transit"),
    "delivered": Wording("accepting", "completeness_inferred"),
    "returned": Wording("receiving", "returned"),
    "cancelled": Wording("void_shipping", None),
}
"""The other stages have no counterpart: the vocabulary has no word for an attempt, a loss or a return under way."""

DAMAGED = Wording("inspecting", "damaged")
HELD = Wording("holding", "in_transit")

_DAMAGE = re.compile(r"\w+_damaged(_\w+)?")
_HELD = re.compile(r"customs_\w+")


def wording(stage: str, reason: Optional[str] = None, *, returning: bool = False) -> Optional[Wording]:
    """Give the words of the standard for a stage; None where it has none.

    Args:
        stage: one of `STAGES`.
        reason: of an exception: damage and what customs hold have words of their own.
        returning: the parcel was on its way back, so that its delivery is the sender's.

    >>> wording("hub_in").biz_step, wording("lost")
    ('arriving', None)
    """
    if stage == "exception":
        if _DAMAGE.fullmatch(reason or ""):
            return DAMAGED
        return HELD if _HELD.fullmatch(reason or "") else None
    if stage == "delivered" and returning:
        return WORDINGS["returned"]
    return WORDINGS.get(stage)
