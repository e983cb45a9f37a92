"""Nothing is published of a time that is not known yet."""

import pytest

from schemas.alerts import cleared, raised, retracted
from schemas.clock import WALL, Clock
from schemas.fields import HOUR, to_batch
from schemas.tables import ALERTS
from tests.builders import at, visit
from transforms.publish.gate import WALL_CLOCK, KnownAlertsFn, KnownVisitsFn, known_alerts
from transforms.visits.pieces import pack_visits

DUE = raised("o1", "t1", "sla_breached", at("18:00"), "")
TROUBLE = raised("o1", "t1", "exception", at("18:00"), "")


def known(*rows, horizon, clock=WALL):
    """Give the states that pass the gate."""
    return known_alerts(to_batch(rows, ALERTS.row_schema), horizon, clock)["state"].to_pylist()


@pytest.mark.parametrize("alert", [DUE, TROUBLE], ids=["absence", "trouble"])
@pytest.mark.parametrize(("horizon", "passes"), [("17:59:59.999999", False), ("18:00", True), ("1d 00:00", True)])
def test_of_a_replay_what_was_due_by_the_horizon_passes(alert, horizon, passes):
    assert known(alert, horizon=at(horizon)) == ["raised"] * passes


def test_every_row_of_an_alerts_life_passes_together():
    life = [DUE, cleared(DUE, at("2d 00:00"), "delivered"), retracted(DUE, at("3d 00:00"))]
    assert known(*life, horizon=at("18:00")) == ["raised", "cleared", "retracted"]
    assert known(*life, horizon=at("17:00")) == []


def test_live_an_absence_waits_for_the_clock_and_trouble_does_not():
    assert known(DUE, TROUBLE, horizon=WALL_CLOCK, clock=Clock(until=at("17:00"))) == ["raised"]
    assert known(DUE, TROUBLE, horizon=WALL_CLOCK, clock=Clock(until=at("18:00"))) == ["raised", "raised"]
    assert known(DUE, horizon=WALL_CLOCK) == ["raised"], "by the wall clock it is long past"


def test_a_batch_of_which_nothing_is_known_is_no_batch():
    batch = to_batch([DUE], ALERTS.row_schema)
    assert list(KnownAlertsFn().process(batch, at("17:00"))) == []
    assert [b.num_rows for b in KnownAlertsFn().process(batch, at("19:00"))] == [1]


def packed(*visits):
    """Pack visits as they come from the sessions."""
    return 0, pack_visits(visits)


@pytest.mark.parametrize(("horizon", "closed"), [("20:59:59.999999", False), ("21:00", True)])
def test_a_visit_is_closed_once_its_gap_has_passed(horizon, closed):
    (batch,) = KnownVisitsFn(12 * HOUR).process(packed(visit("08:00", "09:00", closed=True)), at(horizon))
    assert batch["closed"].to_pylist() == [closed]


@pytest.mark.parametrize(("now", "closed"), [("20:59", False), ("1d 09:00", True)])
def test_live_a_visit_closes_by_the_clock(now, closed):
    gate = KnownVisitsFn(12 * HOUR, Clock(until=at(now)))
    (batch,) = gate.process(packed(visit("08:00", "09:00")), WALL_CLOCK)
    assert batch["closed"].to_pylist() == [closed]
