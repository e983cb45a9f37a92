"""Nothing is published of a time that is not known yet."""

import pytest

from schemas.alerts import cleared, raised, retracted
from schemas.fields import DAY, HOUR, to_batch
from schemas.tables import ALERTS
from tests.builders import at, visit
from transforms.publish import gate
from transforms.publish.gate import WALL_CLOCK, KnownAlertsFn, KnownVisitsFn, known_alerts
from transforms.visits.pieces import pack_visits

DUE = raised("o1", "t1", "sla_breached", at("18:00"), "")
TROUBLE = raised("o1", "t1", "exception", at("18:00"), "")


def known(*rows, horizon):
    """Give the states that pass the gate."""
    return known_alerts(to_batch(rows, ALERTS.row_schema), horizon)["state"].to_pylist()


@pytest.fixture
def clock(monkeypatch):
    """Set the wall clock."""
    return lambda ts: monkeypatch.setattr(gate.time, "time", lambda: ts / 1e6)


@pytest.mark.parametrize("alert", [DUE, TROUBLE], ids=["absence", "trouble"])
@pytest.mark.parametrize(("horizon", "passes"), [("17:59:59.999999", False), ("18:00", True), ("1d 00:00", True)])
def test_of_a_replay_what_was_due_by_the_horizon_passes(alert, horizon, passes):
    assert known(alert, horizon=at(horizon)) == ["raised"] * passes


def test_every_row_of_an_alerts_life_passes_together():
    life = [DUE, cleared(DUE, at("2d 00:00"), "delivered"), retracted(DUE, at("3d 00:00"))]
    assert known(*life, horizon=at("18:00")) == ["raised", "cleared", "retracted"]
    assert known(*life, horizon=at("17:00")) == []


def test_live_an_absence_waits_for_the_wall_clock_and_trouble_does_not(clock):
    clock(at("17:00"))
    assert known(DUE, TROUBLE, horizon=WALL_CLOCK) == ["raised"]
    clock(at("18:00"))
    assert known(DUE, TROUBLE, horizon=WALL_CLOCK) == ["raised", "raised"]


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


def test_live_a_visit_closes_by_the_wall_clock(clock):
    clock(at("09:00") + DAY)
    (batch,) = KnownVisitsFn(12 * HOUR).process(packed(visit("08:00", "09:00")), WALL_CLOCK)
    assert batch["closed"].to_pylist() == [True]
