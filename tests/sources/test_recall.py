"""What the lake knows is read before all else, once, and from where it was when a run was cut off."""

import pytest

from pipelines.sources.known import Recall
from pipelines.sources.spool import SpoolSource
from pipelines.sources.unbounded import Timing
from schemas.clock import Clock
from schemas.events import Event
from schemas.fields import DAY, HOUR, to_batch
from schemas.policy import Memory
from schemas.spool import SpoolWriter
from schemas.tables import EVENTS
from tests.builders import MONDAY, event
from tests.sources.driving import Driver
from tests.sources.events import lines
from transforms.ingest.decode import decode
from transforms.publish.append import append
from transforms.publish.lake import Lake

NOW = MONDAY + 100 * DAY


def add(lake, *events: Event):
    """Add events to a lake."""
    append(lake, EVENTS, to_batch(events, EVENTS.row_schema))


@pytest.fixture
def lake(tmp_path):
    """A lake that knows a parcel of each kind."""
    lake = Lake(tmp_path / "lake").check(create=True)
    add(
        lake,
        event("picked", NOW - 99 * DAY, waybill="open-for-long"),
        event("picked", NOW - 130 * DAY, waybill="given-up"),
        event("picked", NOW - 130 * DAY, waybill="promised-late", promise=NOW - DAY),
        event("delivered", NOW - 10 * DAY, waybill="delivered-lately"),
        event("delivered", NOW - 60 * DAY, waybill="delivered-long-ago"),
    )
    return lake


def waybills(blocks):
    """Give the tracking numbers in some blocks."""
    return {decode(line, 10_000)[0].tracking_number for block in blocks for line in block.lines.split(b"\n") if line}


def test_only_what_would_still_be_in_mind_is_recalled(lake):
    recall = Recall(str(lake.path), Memory())
    kept = {"open-for-long", "promised-late", "delivered-lately"}
    assert waybills(recall.blocks(recall.version(), NOW)) == kept


def test_a_lake_that_knows_nothing_gives_nothing(tmp_path):
    recall = Recall(str(tmp_path / "none"), Memory())
    assert recall.version() == -1 and list(recall.blocks(-1, NOW)) == []


def test_it_comes_first_and_holds_the_watermark(lake, tmp_path, monkeypatch):
    monkeypatch.setattr("pipelines.sources.known.AT_ONCE", 1)
    with SpoolWriter(tmp_path / "spool") as writer:
        writer.append(lines(0, 3))
    source = SpoolSource(str(tmp_path / "spool"), Timing(Clock(until=NOW)))
    source.recall = Recall(str(lake.path), Memory())
    driver = Driver(source)
    driver.step()
    assert driver.watermark.micros < MONDAY - 1000 * DAY and waybills_of(driver) <= {
        "open-for-long",
        "promised-late",
        "delivered-lately",
    }
    driver.checkpoint()
    # What is added meanwhile is no part of what was begun.
    add(lake, event("picked", NOW - HOUR, waybill="new"))
    driver.step()
    driver.crash()
    driver.drain()
    recalled = [one for one in driver.lines if one not in lines(0, 3)]
    assert driver.lines[len(recalled) :] == lines(0, 3)
    assert waybills_of(driver) == {"open-for-long", "promised-late", "delivered-lately", "T0", "T1", "T2"}
    assert len(recalled) == 4, "what came after the mark comes again, what came before does not"
    driver.crash()
    driver.checkpoint()
    assert driver.watermark is None or driver.watermark.micros > 0


def waybills_of(driver):
    """Give the tracking numbers that were handed over."""
    return {decode(line, 10_000)[0].tracking_number for line in driver.lines}
