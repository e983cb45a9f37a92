"""The parity law: what is known is a function of the set of events and of the horizon, however they arrive."""

import json
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from pipelines import report
from pipelines.query import open_lake
from schemas.events import Event
from schemas.fields import HOUR
from schemas.policy import Policy
from tests.builders import event, journey
from tests.pipelines.lakes import raw, replay, rows
from tests.pipelines.oracle import Oracle
from tests.pipelines.worlds import WORLDS, arrivals, lines, told
from transforms.follow.journey import current_stage, delivered_at, sla_status

# A graph takes a second to run: no shrinking, which would take minutes; the example that failed is kept and printed.
GRAPHS = settings(
    max_examples=8,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def horizon_of(world: list[Event]) -> int:
    return max(one.event_ts for one in world)


def assert_known(lake: Path, world: list[Event], horizon: int) -> None:
    """Hold a lake against the oracle."""
    oracle, found = Oracle(told(world), horizon), rows(lake)
    assert found["milestones"] == oracle.milestones()
    assert found["first_milestones"] == oracle.first_milestones()
    assert found["visits"] == oracle.visits()
    assert found["alerts"] == oracle.alerts()
    assert len(found["events"]) == len(told(world))


@GRAPHS
@given(st.data())
def test_any_order_and_repetition_gives_what_the_oracle_says(data: st.DataObject):
    world = data.draw(WORLDS)
    with tempfile.TemporaryDirectory() as folder:
        lake = replay(lines(data.draw(arrivals(world))), Path(folder))
        assert_known(lake, world, horizon_of(world))


@GRAPHS
@given(st.data())
def test_a_part_and_then_all_is_as_good_as_all_at_once(data: st.DataObject):
    world = data.draw(WORLDS)
    arriving = data.draw(arrivals(world))
    part = data.draw(st.lists(st.sampled_from(arriving), min_size=1))
    with tempfile.TemporaryDirectory() as folder:
        replay(lines(part), Path(folder), "twice", name="part")
        lake = replay(lines(arriving), Path(folder), "twice", name="all")
        assert_known(lake, world, horizon_of(world))
        once = replay(lines(arriving), Path(folder), "once", name="all")
        assert rows(lake) == rows(once)
        for table in ("events", "milestones", "visits", "rejections"):
            assert raw(lake, table) == raw(once, table)
        # Of alerts the first part may have raised some that the whole shows were never true: told, and taken back.
        alerts = raw(lake, "(from alerts anti join (from alerts where state = 'retracted') using (alert_id))")
        assert alerts == raw(once, "(from alerts anti join (from alerts where state = 'retracted') using (alert_id))")


@GRAPHS
@given(st.data())
def test_part_after_part_is_as_good_as_all_at_once(data: st.DataObject):
    """A replay begins without state; what the lake knows of its parcels makes up for it."""
    world = data.draw(WORLDS)
    arriving = data.draw(arrivals(world))
    cut = data.draw(st.integers(1, len(arriving)))
    with tempfile.TemporaryDirectory() as folder:
        replay(lines(arriving[:cut]), Path(folder), name="first")
        lake = replay(lines(arriving[cut:]) or b"\n", Path(folder), name="rest")
        assert_known(lake, world, horizon_of(world))


@GRAPHS
@given(WORLDS)
def test_the_rules_in_python_and_those_in_sql_agree(world: list[Event]):
    with tempfile.TemporaryDirectory() as folder:
        lake = replay(lines(world), Path(folder))
        with open_lake(lake) as db:
            said = db.sql(
                "select order_id, tracking_number, current_stage, epoch_us(delivered_at), outcome from parcels"
            )
            by_sql = {row[:2]: row[2:] for row in said.fetchall()}
    parcels: dict[tuple, list[Event]] = {}
    for one in told(world):
        parcels.setdefault((one.order_id, one.tracking_number), []).append(one)
    at_risk = Policy().limits.sla_at_risk
    for parcel, its in parcels.items():
        known = journey(*its)
        by_rule = (current_stage(known), delivered_at(known), sla_status(known, horizon_of(world), at_risk))
        assert by_sql[parcel] == by_rule


@GRAPHS
@given(st.data())
def test_reports_are_the_same_to_the_byte(data: st.DataObject):
    world = data.draw(WORLDS)
    with tempfile.TemporaryDirectory() as folder:
        said = []
        for name in ("one", "other"):
            lake = replay(lines(data.draw(arrivals(world))), Path(folder), name, name=name)
            answers = [report.report(kind, lake) for kind in ("carriers", "warehouses", "lanes", "sla", "alerts")]
            said.append(json.dumps([answer.rows.to_pylist() for answer in answers], default=str))
        assert said[0] == said[1]


@GRAPHS
@given(st.data())
def test_no_alert_lies_beyond_an_explicit_horizon(data: st.DataObject):
    world = data.draw(WORLDS)
    horizon = data.draw(st.sampled_from([one.event_ts for one in world])) + data.draw(st.integers(0, 30)) * HOUR
    within = [one for one in world if one.event_ts <= horizon + 24 * HOUR]
    with tempfile.TemporaryDirectory() as folder:
        lake = replay(lines(data.draw(arrivals(world))), Path(folder), as_of=horizon)
        assert rows(lake)["alerts"] == Oracle(told(within), horizon).alerts()


def test_a_seed_shaped_timeline(tmp_path: Path):
    world = [
        event("picked", "09:00", carrier="ups", promise="2d 18:00"),
        event("packed", "09:45", carrier="ups", promise="3d 18:00"),
        event("delivered", "2d 20:00", carrier="ups"),
    ]
    lake = replay(lines(world[::-1]), tmp_path)
    assert_known(lake, world, horizon_of(world))
    assert [row[2:3] + row[4:5] for row in rows(lake)["alerts"]] == [
        ("pick_pack_delay", "cleared"),
        ("sla_at_risk", "cleared"),
        ("sla_breached", "cleared"),
    ]
