"""Whatever is appended, however often and in whatever order, leaves the same rows."""

import itertools
import multiprocessing
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.events import Event
from schemas.rows import HubScan, Milestone
from schemas.tables import ALERTS, EVENTS, HUB_SCANS, MILESTONES, REJECTIONS, TABLES, VISITS
from tests.builders import at, event
from tests.transforms.publish.rows import LATE, NEVER, SOON, UP, add, held, rejected, scans, table_of, whole
from transforms.publish.append import append
from transforms.publish.lake import Lake, connect

SHORT, LONG = whole("09:00", "12:00", 2), whole("09:00", "15:00", 3)
DENSE = whole("09:00", "15:00", 4, hubs=["h1"])
EARLIER = whole("06:00", "15:00", 5)
NEXT = whole("1d 09:00", "1d 12:00", 2)
JOINED = whole("06:00", "1d 12:00", 9)
NAMES = {id(row): name for name, row in list(globals().items()) if name.isupper()}


def str_order(rows) -> str:
    """Name an order of rows in a test's id."""
    return ", ".join(NAMES.get(id(row), "?").lower() for row in rows)


OPEN, CLOSED = whole("09:00", "15:00", 3, closed=False), LONG


@pytest.fixture
def lake(tmp_path):
    """A lake with nothing in it."""
    return Lake(tmp_path / "lake").check(create=True)


def visits(lake):
    """Give start, end, count and closedness of each visit held."""
    with connect() as db:
        query = f"select epoch_us(start_ts), epoch_us(end_ts), events, closed from {lake.rows(VISITS)} order by all"
        return db.execute(query).fetchall()


def facts(*found):
    """Give the same of visits."""
    return sorted((v.start_ts, v.end_ts, v.events, v.closed) for v in found)


def test_twice_is_once(lake):
    assert [add(lake, EVENTS, scans(20)), add(lake, EVENTS, scans(20))] == [20, 0]
    assert len(held(lake, EVENTS)) == 20


def test_half_and_then_all(lake):
    assert [add(lake, EVENTS, scans(10)), add(lake, EVENTS, scans(20))] == [10, 10]


def test_repetitions_inside_a_batch(lake):
    assert add(lake, EVENTS, [*scans(5), *reversed(scans(5)), *scans(7)]) == 7
    assert len(held(lake, EVENTS)) == 7


def test_nothing_is_no_commit(lake):
    assert add(lake, EVENTS, []) == 0
    assert lake.delta(EVENTS) is None
    add(lake, EVENTS, scans(3))
    add(lake, EVENTS, scans(3))
    assert lake.delta(EVENTS).version() == 0


def test_an_event_keeps_all_that_it_says(lake):
    said = event(
        "exception", "09:00", customer="c", warehouse="w", carrier="A", promise="1d 18:00", reason="r", hub="h",
        origin="GJ", dest="MH", value=1.5, currency="INR", received="09:01",
    )  # fmt: skip
    add(lake, EVENTS, [said])
    with connect() as db:
        times = {"event_ts", "promised_delivery_ts", "received_ts"}
        columns = ", ".join(f"epoch_us({n})" if n in times else n for n in Event.__struct_fields__)
        assert Event(*db.execute(f"select {columns} from {lake.rows(EVENTS)}").fetchone()) == said


@given(st.lists(st.lists(st.integers(0, 12), max_size=8), min_size=1, max_size=4))
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_batches_leave_each_key_once(tmp_path_factory, batches):
    lake = Lake(tmp_path_factory.mktemp("lake")).check(create=True)
    every = scans(13)
    added = [add(lake, EVENTS, [every[n] for n in batch]) for batch in batches]
    wanted = {n for batch in batches for n in batch}
    assert [row[0] for row in held(lake, EVENTS)] == sorted(every[n].event_id for n in wanted)
    assert sum(added) == len(wanted)


@pytest.mark.parametrize("order", list(itertools.permutations([LONG, DENSE, EARLIER, NEXT])), ids=str_order)
def test_visits_grow_in_whatever_order_they_come(lake, order):
    for one in order:
        add(lake, VISITS, [one])
    assert visits(lake) == facts(EARLIER, NEXT)


@pytest.mark.parametrize("size", [1, 2, 4])
def test_a_visit_that_joins_others_takes_their_place(lake, size):
    every = [SHORT, EARLIER, NEXT, JOINED]
    for turn in (0, 3):
        mine = Lake(lake.path / str(turn)).check(create=True)
        turned = every[turn:] + every[:turn]
        for start in range(0, 4, size):
            add(mine, VISITS, turned[start : start + size])
        assert visits(mine) == facts(JOINED)


@pytest.mark.parametrize("rows", list(itertools.permutations([SHORT, LONG, DENSE])), ids=str_order)
def test_versions_of_a_visit_in_one_batch(lake, rows):
    add(lake, VISITS, list(rows))
    assert visits(lake) == facts(DENSE)


@pytest.mark.parametrize("rows", [(OPEN, CLOSED), (CLOSED, OPEN)], ids=["open first", "closed first"])
@pytest.mark.parametrize("together", [True, False])
def test_a_visit_that_closed_does_not_open_again(lake, rows, together):
    for batch in [list(rows)] if together else [[row] for row in rows]:
        add(lake, VISITS, batch)
    assert visits(lake) == facts(CLOSED)


def test_visits_of_other_parcels_are_left_alone(lake):
    others = [whole("08:00", "20:00", 9, waybill="t2"), whole("08:00", "20:00", 9, order="o2")]
    add(lake, VISITS, [*others, SHORT])
    add(lake, VISITS, [EARLIER])
    assert visits(lake) == facts(*others, EARLIER)


@pytest.mark.parametrize(
    "order", [[*order, NEVER] for order in itertools.permutations([UP, LATE, SOON])], ids=str_order
)
@pytest.mark.parametrize("together", [True, False])
def test_alerts_in_whatever_order_they_come(lake, order, together):
    for batch in [list(order)] if together else [[row] for row in order]:
        add(lake, ALERTS, batch)
    assert [(row[1], int(row[6].timestamp())) for row in held(lake, ALERTS)] == sorted(
        (row.state, row.state_ts // 1_000_000) for row in (UP, SOON, NEVER)
    )


def test_a_row_that_takes_anothers_place_leaves_the_rest_of_its_day(lake):
    others = [replace(UP, alert_id=f"a{n}", due_ts=at("18:00", n % 3)) for n in range(9)]
    add(lake, ALERTS, [*others, UP, LATE])
    assert add(lake, ALERTS, [SOON, replace(UP, alert_id="new", due_ts=at("18:00", 8))]) == 2
    assert len(held(lake, ALERTS)) == 12


def test_a_rejection_found_again_on_another_day_is_the_same(lake):
    assert add(lake, REJECTIONS, [rejected(1), rejected(2)]) == 2
    assert add(lake, REJECTIONS, [rejected(1, day=3), rejected(3, day=3)]) == 1
    assert [row[0] for row in held(lake, REJECTIONS)] == ["r1", "r2", "r3"]


@pytest.mark.parametrize("carrier", ["Blue Dart", "A&B", "J.B. Hunt", "100", "2026-03-02", "null"])
def test_a_carrier_names_a_partition_and_keeps_its_name(lake, carrier):
    scan = HubScan(carrier, "t1", at("09:00"), "AR", "h1", "hub_in", None, "file")
    assert [add(lake, HUB_SCANS, [scan]), add(lake, HUB_SCANS, [scan])] == [1, 0]
    assert held(lake, HUB_SCANS)[0][0] == carrier


@pytest.mark.parametrize("text", ["", "NUL\x00", "it's", "‮", "a\x1fb", "\n", "null", "🚚"], ids=repr)
def test_any_text_is_kept_as_it_is(lake, text):
    row = Milestone("o" + text, "t" + text, "picked", at("09:00"))
    assert [add(lake, MILESTONES, [row]), add(lake, MILESTONES, [row])] == [1, 0]
    assert held(lake, MILESTONES)[0][:2] == ("o" + text, "t" + text)


def test_every_table_can_be_written(lake):
    made = {"events": scans(1), "alerts": [UP], "visits": [SHORT], "rejections": [rejected(1)]}
    for name, rows in made.items():
        assert add(lake, TABLES[name], rows) == 1


def write_some(path, first):
    """Append a run of events that overlaps the other writer's."""
    lake = Lake(path)
    for start in range(first, first + 20, 5):
        add(lake, EVENTS, scans(10, first=start))


def test_two_processes_write_each_key_once(lake):
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_some, args=(lake.path, first)) for first in (0, 5)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0]
    found = [row[0] for row in held(lake, EVENTS)]
    assert len(found) == len(set(found)) == 30


def test_two_threads_write_each_key_once(lake):
    writers = [threading.Thread(target=write_some, args=(lake.path, first)) for first in (0, 5)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    found = [row[0] for row in held(lake, EVENTS)]
    assert len(found) == len(set(found)) == 30


def test_a_reader_sees_a_commit_whole_or_not_at_all(lake):
    """Each commit is of seven rows over five days, that is five files; later ones take the place of visits."""
    torn, done = [], threading.Event()

    def read():
        with connect() as db:
            while not done.is_set():
                for table in (EVENTS, VISITS):
                    (count,) = db.execute(f"select count(*) from {lake.rows(table)}").fetchone()
                    if count % 7:
                        torn.append((table.name, count))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for turn in range(6):
            add(lake, EVENTS, scans(7, first=turn * 7))
            add(lake, VISITS, [whole(f"{n}d 09:00", f"{n}d 1{turn}:00", turn + 1, waybill=f"t{n}") for n in range(7)])
    finally:
        done.set()
        reader.join()
    assert torn == []
    assert len(held(lake, EVENTS)) == 42
    assert len(held(lake, VISITS)) == 7


def test_the_input_is_not_changed(lake):
    rows = table_of(EVENTS, scans(3))
    before = rows.to_pylist()
    append(lake, EVENTS, rows)
    assert rows.to_pylist() == before
