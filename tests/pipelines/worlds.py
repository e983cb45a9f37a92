"""Worlds for property tests: small sets of events in which everything can happen, in any order, at any time."""

from hypothesis import strategies as st

from schemas.events import Event, to_json
from schemas.fields import HOUR, MINUTE
from schemas.stages import STAGES
from tests.builders import MONDAY, event

_MOMENTS = st.one_of(
    st.integers(0, 96).map(lambda hours: MONDAY + hours * HOUR),
    st.integers(0, 6_000).map(lambda minutes: MONDAY + minutes * MINUTE),
)


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
        "reason": draw(st.sampled_from(["carrier_damaged_parcel", "weather_delay", None])),
    }
    order, waybill = draw(st.sampled_from([("o1", "t1"), ("o1", "t2"), ("o2", "t1"), ("o3", "t3")]))
    return event(stage, draw(_MOMENTS), order, waybill, **said)


WORLDS = st.lists(events(), min_size=1, max_size=30, unique_by=lambda one: one.event_id)
"""Sets of events."""


@st.composite
def arrivals(draw: st.DrawFn, world: list[Event]) -> list[Event]:
    """Draw an order of arrival: shuffled, with events sent again at any time."""
    again = draw(st.lists(st.sampled_from(world), max_size=10))
    return draw(st.permutations([*world, *again]))


def lines(arriving: list[Event]) -> bytes:
    """Give events as the lines of a file."""
    return b"".join(to_json(one) + b"\n" for one in arriving)
