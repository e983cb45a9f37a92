"""Stories, trackers that forget, and what a store holds in the end."""

from hypothesis import strategies as st

from schemas.events import EventBatch
from schemas.fields import HOUR, MINUTE
from schemas.policy import Policy
from schemas.stages import STAGES
from tests.builders import MONDAY, event, fresh
from tests.servers import ask
from tests.transforms.tell.oracle import COLUMNS
from transforms.watch.tracker import Tracker

TIMES = {name for name in COLUMNS if name.endswith(("_at", "_ts"))}

events = st.builds(
    event,
    stage=st.sampled_from(sorted(STAGES)),
    when=st.integers(0, 4 * 24 * 4).map(lambda n: MONDAY + n * 15 * MINUTE),
    order=st.sampled_from(["o1", "o2", "é'\"\\u0000"]),
    waybill=st.sampled_from(["t1", "t2"]),
    carrier=st.sampled_from([None, "A", "B"]),
    customer=st.sampled_from([None, "c1", "C2"]),
    warehouse=st.sampled_from([None, "w1"]),
    promise=st.sampled_from([None, MONDAY + 48 * HOUR, MONDAY + 72 * HOUR]),
    reason=st.sampled_from([None, "carrier_damaged", "weather_storm"]),
)


@st.composite
def tellings(draw):
    """Give a set of events, and batches of them in any order with repetitions; a tracker forgets all before some."""
    history = list({one.event_id: one for one in draw(st.lists(events, min_size=1, max_size=14))}.values())
    repeated = draw(st.lists(st.sampled_from(history), max_size=8))
    order = draw(st.permutations([*history, *repeated]))
    cuts = sorted(draw(st.sets(st.integers(1, len(order)), max_size=5)))
    batches = [order[start:end] for start, end in zip([0, *cuts], [*cuts, len(order)], strict=True) if start < end]
    return history, [(draw(st.booleans()), batch) for batch in batches]


def statuses(batches):
    """Give the statuses of each batch; a tracker that forgets begins anew."""
    tracker = Tracker(Policy(), statuses=True)
    for forgets, batch in batches:
        if forgets:
            tracker = Tracker(Policy(), statuses=True)
        yield tracker.take(EventBatch(fresh(batch))).statuses


def held(dsn):
    """Give the rows of order_fulfillment_live, times in microseconds."""
    micros = "{0}" if dsn.startswith("sqlite") else "(extract(epoch from {0}) * 1000000)::bigint"
    columns = ", ".join(micros.format(name) if name in TIMES else name for name in COLUMNS)
    found = ask(dsn, f"select {columns} from order_fulfillment_live")
    assert len(found) == len(set(found))
    return set(found)


def noted(dsn, columns="order_id, tracking_number, milestone"):
    """Give rows of the outbox."""
    return sorted(ask(dsn, f"select {columns} from outbox"))
