"""Each kind of alert: when it is due, what meets it, what clears it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.alerts import AWAITED, KINDS, SILENT
from schemas.fields import HOUR, MINUTE
from schemas.policy import Limits, Override, Policy
from schemas.settings import Duration
from schemas.stages import CLOSING_STAGES, STAGES
from tests.builders import at, event, journey
from tests.transforms.watch.oracle import CLOCKS, CLOSING, expected
from transforms.watch.deadlines import alerts, deadlines, next_due

LIMITS = Limits()
FOREVER = at("90d 00:00")


def lives(*events, horizon=FOREVER, limits=LIMITS):
    """Give (kind, due, state, state time) of the newest row of each alert of one parcel."""
    whole = journey(*events)
    found = alerts(whole, deadlines(whole, limits), horizon)
    return {(life[-1].kind, life[-1].due_ts, life[-1].state, life[-1].state_ts) for life in found}


def one(kind, due, state="raised", when=None):
    """Name one alert."""
    return {(kind, at(due), state, at(when or due))}


@pytest.mark.parametrize(
    ("story", "alert"),
    [
        pytest.param([("picked", "09:00")], one("pick_pack_delay", "09:30"), id="picked and left lying"),
        pytest.param([("picked", "09:00"), ("packed", "09:29")], set(), id="packed in time"),
        pytest.param([("picked", "09:00"), ("packed", "09:30")], set(), id="packed at the last moment"),
        pytest.param(
            [("picked", "09:00"), ("packed", "09:30:00.000001")],
            one("pick_pack_delay", "09:30", "cleared", "09:30:00.000001"),
            id="packed a microsecond late",
        ),
        pytest.param([("picked", "09:00"), ("in_transit", "09:20")], set(), id="the pack scan was missed, the parcel moved"),
        pytest.param([("picked", "09:00"), ("cancelled", "09:20")], set(), id="cancelled before it was due"),
        pytest.param([("picked", "09:00"), ("exception", "09:20")], one("pick_pack_delay", "09:30") | one("exception", "09:20"), id="trouble is no progress"),
        pytest.param([("picked", "09:00"), ("picked", "09:25")], one("pick_pack_delay", "09:30"), id="picked twice, the first counts"),
        pytest.param([("packed", "08:00"), ("picked", "09:00")], set(), id="packed before picked by a wrong clock"),
        pytest.param([("labeled", "09:00")], one("label_scan_delay", "11:00"), id="labelled and never scanned"),
        pytest.param([("labeled", "09:00"), ("picked", "09:10"), ("packed", "09:20")], one("label_scan_delay", "11:00"), id="going back to pack is no scan"),
        pytest.param([("labeled", "09:00"), ("hub_in", "10:00")], set(), id="seen at a hub"),
        pytest.param([("out_for_delivery", "09:00")], one("last_mile_delay", "21:00"), id="out all day"),
        pytest.param(
            [("out_for_delivery", "09:00"), ("attempt_failed", "20:00"), ("out_for_delivery", "1d 09:00")],
            one("attempt_failed", "20:00"),
            id="a failed attempt ends the wait of the first tour",
        ),
        pytest.param([("out_for_delivery", "09:00"), ("available_for_pickup", "20:00")], set(), id="left at a pickup point"),
        pytest.param([("out_for_delivery", "09:00"), ("hub_in", "20:00")], one("last_mile_delay", "21:00"), id="back at the hub is no delivery"),
        pytest.param([("exception", "09:00")], one("exception", "09:00"), id="trouble"),
        pytest.param([("exception", "09:00"), ("delivered", "12:00")], one("exception", "09:00", "cleared", "12:00"), id="trouble, then delivered"),
        pytest.param([("delivered", "08:00"), ("exception", "09:00")], set(), id="trouble after the delivery is none"),
        pytest.param([("delivered", "09:00"), ("exception", "09:00")], set(), id="trouble at the moment of delivery is none"),
    ],
)  # fmt: skip
def test_kinds_without_a_promise(story, alert):
    assert lives(*(event(stage, when) for stage, when in story)) == alert


@pytest.mark.parametrize(
    ("story", "alert"),
    [
        pytest.param([], one("sla_at_risk", "14:00") | one("sla_breached", "18:00"), id="not delivered"),
        pytest.param([("delivered", "13:00")], set(), id="delivered with time to spare"),
        pytest.param([("delivered", "14:00")], set(), id="delivered as it became a risk"),
        pytest.param([("delivered", "16:00")], one("sla_at_risk", "14:00", "cleared", "16:00"), id="delivered at risk"),
        pytest.param([("delivered", "18:00")], one("sla_at_risk", "14:00", "cleared", "18:00"), id="delivered at the promise"),
        pytest.param(
            [("delivered", "19:00")],
            one("sla_at_risk", "14:00", "cleared", "19:00") | one("sla_breached", "18:00", "cleared", "19:00"),
            id="delivered late",
        ),
        pytest.param([("lost", "12:00"), ("delivered", "20:00")], set(), id="nobody waits for a lost parcel"),
        pytest.param([("available_for_pickup", "12:00")], one("sla_at_risk", "14:00") | one("sla_breached", "18:00"), id="a pickup point is no delivery"),
    ],
)  # fmt: skip
def test_the_promise(story, alert):
    assert lives(event("hub_in", "09:00", promise="18:00"), *(event(stage, when) for stage, when in story)) == alert


@pytest.mark.parametrize(("horizon", "known"), [("09:29:59.999999", 0), ("09:30", 1)])
def test_nothing_later_than_the_horizon_is_known(horizon, known):
    assert len(lives(event("picked", "09:00"), horizon=at(horizon))) == known


def test_trouble_is_news_before_the_watermark_reaches_it():
    assert len(lives(event("exception", "09:00"), horizon=at("08:00"))) == 1


def test_each_trouble_is_an_alert_of_its_own_but_a_repetition_is_none():
    told = [
        event("exception", "09:00", reason="carrier_damaged"),
        event("exception", "09:00", reason="carrier_damaged", id="said again"),
        event("exception", "09:00", reason="weather_delay"),
        event("exception", "10:00", reason="weather_delay"),
    ]
    whole = journey(*told)
    assert len({life[0].alert_id for life in alerts(whole, deadlines(whole, LIMITS), FOREVER)}) == 3


def test_evidence_says_what_set_the_clock_and_what_came():
    whole = journey(event("picked", "09:00"), event("packed", "10:00"))
    (life,) = alerts(whole, deadlines(whole, LIMITS), FOREVER)
    assert [row.evidence for row in life] == ["picked 2026-03-02T09:00:00Z", "packed 2026-03-02T10:00:00Z"]
    whole = journey(event("exception", "09:00", reason="carrier_damaged"))
    ((row,),) = alerts(whole, deadlines(whole, LIMITS), FOREVER)
    assert row.evidence == "exception 2026-03-02T09:00:00Z carrier_damaged"


@pytest.mark.parametrize(
    ("after", "wake"),
    [("08:00", "09:30"), ("09:30", "14:00"), ("14:00", "18:00"), ("18:00", None)],
)
def test_next_due_gives_the_next_thing_that_may_become_news(after, wake):
    whole = journey(event("picked", "09:00", promise="18:00"))
    assert next_due(deadlines(whole, LIMITS), at(after)) == (None if wake is None else at(wake))


@pytest.mark.parametrize(
    ("carrier", "warehouse", "minutes"),
    [
        pytest.param(None, None, 30, id="general"),
        pytest.param("Slow", None, 60, id="by carrier"),
        pytest.param(None, "Night", 90, id="by warehouse"),
        pytest.param("Slow", "Night", 90, id="the warehouse goes before the carrier"),
        pytest.param("Slow", "Day", 60, id="a warehouse that says nothing of it leaves the carrier's"),
        pytest.param("Other", "Other", 30, id="unknown ones change nothing"),
    ],
)
def test_overrides(carrier, warehouse, minutes):
    policy = Policy(
        carrier={"Slow": Override(pick_pack_delay=Duration.of("60 min"))},
        warehouse={"Night": Override(pick_pack_delay=Duration.of("90 min")), "Day": Override(sla_at_risk=Duration.of("1 h"))},
    )  # fmt: skip
    told = event("picked", "09:00", carrier=carrier, warehouse=warehouse)
    whole = journey(told)
    (due,) = deadlines(whole, policy.limits_for(whole.carrier, whole.warehouse_id))
    assert due.due_ts == at("09:00") + minutes * MINUTE


def test_the_vocabulary_of_what_is_awaited():
    assert {kind: set(AWAITED[kind]) for kind in CLOCKS} == {kind: awaited for kind, (_, _, awaited) in CLOCKS.items()}
    assert all(AWAITED[kind] == CLOSING_STAGES == CLOSING for kind in ("sla_at_risk", "sla_breached", "exception"))
    assert len(set(KINDS)) == 8
    assert SILENT in KINDS


@given(
    st.lists(
        st.builds(
            event,
            stage=st.sampled_from(sorted(STAGES)),
            when=st.integers(0, 120).map(lambda n: at("00:00") + n * HOUR // 2),
            promise=st.sampled_from([None, "1d 18:00", "2d 18:00"]),
        ),
        min_size=1,
        max_size=10,
    ),
    st.integers(0, 100).map(lambda n: at("00:00") + n * HOUR),
)
@settings(max_examples=100)
def test_the_rules_agree_with_the_oracle(history, horizon):
    known = {row for row in lives(*history, horizon=horizon) if row[1] <= horizon}
    assert known == {row[2:] for row in expected(history, horizon)}
