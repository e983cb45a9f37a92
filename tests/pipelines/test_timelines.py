"""The live graph on a source that never ends: what is told when, as the watermark moves. No step knows the difference."""

from collections.abc import Callable
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam import pvalue
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from apache_beam.runners.direct.direct_runner import BundleBasedDirectRunner
from apache_beam.testing import test_stream
from apache_beam.utils.timestamp import Timestamp

from pipelines.live import build_live
from schemas.events import Event, to_json
from schemas.fields import MINUTE, Micros, to_datetime
from schemas.lines import LineBlock
from schemas.policy import Policy
from schemas.tables import TABLES
from tests.builders import MONDAY, at, event
from tests.pipelines.lakes import raw
from transforms.publish.gate import WALL_CLOCK
from transforms.publish.lake import Lake


class Broker:
    """A source under test: events arrive and the watermark moves as the timeline says."""

    as_of = None
    grid = MINUTE
    live = True

    def __init__(self) -> None:
        """Begin on Monday at midnight."""
        self.stream = test_stream.TestStream().advance_watermark_to(Timestamp(micros=MONDAY))

    def say(self, *events: Event) -> "Broker":
        """Let events arrive in one block."""
        lines = b"\n".join(to_json(one) for one in events)
        block = LineBlock("broker", 1, lines, MONDAY)
        self.stream = self.stream.add_elements(
            [beam.window.TimestampedValue(block, Timestamp(micros=events[0].event_ts))]
        )
        return self

    def watermark(self, when: str) -> "Broker":
        """Let the watermark pass a time."""
        self.stream = self.stream.advance_watermark_to(Timestamp(micros=at(when)))
        return self

    def read(self) -> beam.PTransform:
        """Give the stream."""
        return self.stream

    def horizon(self, newest: beam.PCollection[Micros]) -> pvalue.AsSingleton:
        """Be live: the horizon is the wall clock."""
        return pvalue.AsSingleton(newest.pipeline | "Live" >> beam.Create([WALL_CLOCK]))


@pytest.fixture
def told(tmp_path: Path) -> Callable[[Broker], list[tuple]]:
    """Run a timeline; give the life of every alert as (kind, state, state time)."""

    def run(broker: Broker) -> list[tuple]:
        lake = Lake(tmp_path / "lake").check(create=True)
        options = PipelineOptions([])
        options.view_as(StandardOptions).streaming = True
        with beam.Pipeline(runner=BundleBasedDirectRunner(), options=options) as root:
            build_live(root, broker, str(lake.path), Policy())
        return sorted((row[4], row[1], row[6]) for row in raw(lake.path, "alerts"))

    return run


def moment(when: str) -> object:
    return to_datetime(at(when))


def test_a_pick_without_a_pack_is_told_when_the_watermark_passes_and_cleared_when_it_comes(told):
    broker = Broker().say(event("picked", "09:00")).watermark("09:40").say(event("packed", "09:45")).watermark("10:00")
    assert told(broker) == [
        ("pick_pack_delay", "cleared", moment("09:45")),
        ("pick_pack_delay", "raised", moment("09:30")),
    ]


def test_a_pack_that_arrives_late_but_was_in_time_takes_the_alert_back(told):
    broker = Broker().say(event("picked", "09:00")).watermark("09:40").say(event("packed", "09:10")).watermark("10:00")
    assert [row[:2] for row in told(broker)] == [("pick_pack_delay", "raised"), ("pick_pack_delay", "retracted")]


def test_a_pack_in_time_is_no_news(told):
    assert told(Broker().say(event("picked", "09:00")).say(event("packed", "09:10")).watermark("1d 00:00")) == []


def test_damage_is_told_on_arrival_whatever_the_watermark(told):
    broker = Broker().say(event("exception", "09:00", reason="carrier_damaged_parcel"))
    assert told(broker) == [("exception", "raised", moment("09:00"))]


def test_a_quiet_night_still_tells_what_did_not_happen(told):
    broker = Broker().say(event("labeled", "20:00", promise="1d 06:00")).watermark("23:00").watermark("1d 07:00")
    assert [row[:2] for row in told(broker)] == [
        ("label_scan_delay", "raised"),
        ("sla_at_risk", "raised"),
        ("sla_breached", "raised"),
    ]


def test_a_valuable_parcel_falls_silent_and_is_heard_of_again(told):
    broker = (
        Broker()
        .say(event("carrier_scanned", "09:00", value=900.0, carrier="ups"))
        .watermark("22:00")
        .say(event("hub_in", "23:00", value=900.0, carrier="ups"))
        .watermark("23:30")
        .say(event("delivered", "1d 08:00", carrier="ups"))
        .watermark("3d 00:00")
    )
    assert told(broker) == [
        ("silent_high_value", "cleared", moment("23:00")),
        ("silent_high_value", "raised", moment("21:00")),
    ]


def reissue(when: str, order: str | None = "o1") -> Event:
    """Give the event by which t1 goes on as t2."""
    return event("cancelled", when, order, "t1", successor="t2", reason="carrier_reissued", carrier="ups")


def test_of_a_reissued_waybill_nothing_is_awaited_any_more_but_of_its_successor(told, tmp_path: Path):
    broker = (
        Broker()
        .say(event("labeled", "09:00", carrier="ups", promise="18:00"))
        .say(reissue("10:00"))
        .watermark("11:30")
        .say(event("carrier_scanned", "11:40", None, "t2", carrier="ups"))
        .say(event("delivered", "12:20", None, "t2", carrier="ups"))
        .watermark("1d 00:00")
    )
    assert told(broker) == []
    found = {row[1:4] for row in raw(tmp_path / "lake", "milestones")}
    assert found == {
        *(("t1", stage, moment(when)) for stage, when in (("labeled", "09:00"), ("cancelled", "10:00"))),
        *(
            ("t2", stage, moment(when))
            for stage, when in (("labeled", "10:00"), ("carrier_scanned", "11:40"), ("delivered", "12:20"))
        ),
    }


@pytest.mark.parametrize("later", ["reissue", "scan"])
def test_the_successor_s_own_deadlines_run_from_the_reissue_whichever_event_comes_first(told, later: str):
    scan, reissued = event("carrier_scanned", "13:00", None, "t2", carrier="ups"), reissue("10:00")
    first, second = (scan, reissued) if later == "reissue" else (reissued, scan)
    broker = Broker().say(event("labeled", "09:00", carrier="ups")).say(first).say(second).say(first)
    assert told(broker.watermark("2d 00:00")) == [
        ("label_scan_delay", "cleared", moment("13:00")),
        ("label_scan_delay", "raised", moment("12:00")),
    ]


def test_a_delivery_on_a_reissued_waybill_still_counts(told, tmp_path: Path):
    broker = Broker().say(event("labeled", "09:00", carrier="ups", promise="18:00")).say(reissue("10:00"))
    told(broker.say(event("delivered", "15:00", None, "t1", carrier="ups")).watermark("1d 00:00"))
    assert [row[:2] for row in raw(tmp_path / "lake", _STANDING)] == [("t1", "on_time"), ("t2", "no_promise")]


_STANDING = "(select tracking_number, sla_status from order_status)"


@pytest.mark.parametrize("labeled", [True, False])
def test_a_reissue_without_its_order_closes_the_old_one_and_the_new_one_waits_for_a_label(
    told, tmp_path: Path, labeled: bool
):
    broker = Broker().say(event("labeled", "09:00", carrier="ups")).say(reissue("10:00", None))
    broker.say(event("carrier_scanned", "10:30", None, "t2", carrier="ups"))
    if labeled:
        broker.say(event("labeled", "10:10", "o1", "t2", carrier="ups"))
    assert told(broker.watermark("90d 00:00")) == []
    known = {(row[0], row[1]) for row in raw(tmp_path / "lake", "milestones")}
    assert known == {("o1", "t1"), ("o1", "t2")} if labeled else {("o1", "t1")}
    reasons = [row[1] for row in raw(tmp_path / "lake", "rejections")]
    assert reasons == ([] if labeled else ["unknown_waybill"])


def test_every_table_of_a_stream_is_one_of_the_lake(told, tmp_path: Path):
    told(Broker().say(event("carrier_scanned", "09:00", value=900.0)).watermark("2d 00:00"))
    assert {path.name for path in (tmp_path / "lake").iterdir() if path.is_dir()} <= TABLES.keys()
    assert len(raw(tmp_path / "lake", "visits")) == 1
