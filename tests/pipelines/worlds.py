"""Worlds for property tests: small sets of events in which everything can happen, in any order, at any time."""

import hashlib

from hypothesis import strategies as st
from msgspec import structs

from schemas.events import Event, to_json
from schemas.fields import HOUR, MINUTE
from schemas.stages import STAGES
from tests.builders import MONDAY, event, fresh

_MOMENTS = st.one_of(
    st.integers(0, 96).map(lambda hours: MONDAY + hours * HOUR),
    st.integers(0, 6_000).map(lambda minutes: MONDAY + minutes * MINUTE),
)


_WAYBILLS = ("t1", "t2", "t4")
"""Of the parcels under which others may go on."""


@st.composite
def events(draw: st.DrawFn) -> Event:
    """Draw one event of one of a few parcels."""
    stage = draw(st.sampled_from(sorted(STAGES)))
    said = {
        "carrier": draw(st.sampled_from(["ups", "dtdc", None])),
        "warehouse": draw(st.sampled_from(["w1", None])),
        "value": draw(st.sampled_from([None, 20.0, 499.99, 500.0])),
        "promise": draw(st.one_of(st.none(), _MOMENTS)),
        "hub": draw(st.sampled_from(["AMD", "BOM", None])),
        "successor": draw(st.sampled_from([None, None, None, *_WAYBILLS])),
        "reason": draw(st.sampled_from(["carrier_damaged_parcel", "weather_delay", None])),
    }
    order, waybill = draw(st.sampled_from([("o1", "t1"), ("o1", "t2"), ("o2", "t1"), ("o3", "t3")]))
    if said["successor"] == waybill:
        del said["successor"]
    return event(stage, draw(_MOMENTS), order, waybill, **said)


WORLDS = st.lists(events(), min_size=1, max_size=30, unique_by=lambda one: one.event_id)
"""Sets of events."""


@st.composite
def arrivals(draw: st.DrawFn, world: list[Event]) -> list[Event]:
    """Draw an order of arrival: shuffled, with events sent again at any time."""
    again = draw(st.lists(st.sampled_from(world), max_size=10))
    return draw(st.permutations([*world, *again]))


def told(world: list[Event]) -> list[Event]:
    """Give the events of a world anew, with the labels of the waybills under which others go on."""
    labels = []
    for one in world:
        if one.successor:
            identity = hashlib.blake2b(one.event_id.encode(), digest_size=16).hexdigest()
            own = {"event_id": f"reissue-{identity}", "stage": "labeled", "tracking_number": one.successor}
            labels.append(structs.replace(one, **own, reason=None, hub=None, successor=None))
    return [*fresh(world), *labels]


def lines(arriving: list[Event]) -> bytes:
    """Give events as the lines of a file."""
    return b"".join(to_json(one) + b"\n" for one in arriving)
