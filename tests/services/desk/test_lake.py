"""The desk where there is no database: the same pages out of the lake, to read only."""

import shutil

import pytest

from schemas.fields import HOUR, MINUTE, to_text
from services.desk.both import DatabaseAndLake
from services.desk.choice import Choice
from services.desk.lake import LakeSource
from services.desk.listeners import QUEUE, marks_of
from services.desk.source import SourceError
from services.desk.steps import read_step
from tests.builders import MONDAY, line
from tests.pipelines.lakes import replay
from tests.services.desk.conftest import TRACK, fill, token
from transforms.publish.lake import LakeError


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """A lake of two parcels that were picked and not packed, and of one under way with an exception."""
    lines = [
        said("picked", MONDAY, "1", warehouse_id="the warehouse", customer_id="the customer"),
        said("picked", MONDAY + 5 * MINUTE, "2", carrier="A"),
        said("carrier_scanned", MONDAY, "3", carrier="A", promised_delivery_ts=to_text(MONDAY + 9 * HOUR)),
        said("exception", MONDAY + HOUR, "3", carrier="A", reason="customs_delay"),
        said("packed", MONDAY + 2 * HOUR, "4"),
    ]
    return replay(b"\n".join(lines), tmp_path_factory.mktemp("desk"))


def said(stage, when, number, **more):
    """Give an event of the order o<number> as a line."""
    nothing = dict.fromkeys(("customer_id", "warehouse_id", "promised_delivery_ts"))
    known = {"carrier": "B", "order_id": f"o{number}", "tracking_number": f"t{number}"}
    return line(event_id=f"{stage} {number}", stage=stage, event_ts=to_text(when), **(nothing | known | more))


@pytest.fixture
def source(lake):
    """Give the source of the lake."""
    held = LakeSource(lake, 60)
    yield held
    held.close()


def test_the_queue_is_the_lakes_open_alerts(source):
    assert [(row.order_id, row.kind) for row in source.page(Choice(sort="oldest"), 9)] == [
        ("o1", "pick_pack_delay"),
        ("o2", "pick_pack_delay"),
        ("o3", "exception"),
    ]
    assert [row.order_id for row in source.page(Choice(carrier="A"), 1)] == ["o3"]
    assert source.count(Choice(age="1 h")) == 3 and source.count(Choice(warehouse="-")) == 2
    assert source.open_kinds(("o3", "t3")) == {"exception"}
    assert source.now() == MONDAY + 2 * HOUR
    assert marks_of(source, [QUEUE]) == marks_of(source, [QUEUE])


def test_pages_say_that_nothing_can_be_done_here(desk, source):
    with desk(source) as browser:
        browser.sign_in()
        page = browser.get("/")
        assert "nothing can be acknowledged" in page.text and "Acknowledge</button>" not in page.text
        assert "milestone" in browser.get("/order?id=o3").text
        assert browser.get("/order?id=nothing").status_code == 404
        assert browser.post("/act", {"step": "take", "alert": "a" * 24}).status_code == 403
    with pytest.raises(SourceError):
        source.act(read_step("take", ["a" * 24], "Anna", "", ""))


def test_a_customer_reads_the_same_words(desk, lake):
    with desk(LakeSource(lake, 60), TRACK) as browser:
        page = browser.get("/track/t3", params={"t": token("o3", "t3")})
        assert "Promised for 2 March 2026, 09:00 UTC." in page.text and "customs holds it up" in page.text
        assert browser.get("/track/t3", params={"t": token("o1", "t1")}).status_code == 404
        page = browser.get("/track/t1", params={"t": token("o1", "t1")})
        assert "Packing takes longer than it should." in page.text
        assert "the warehouse" not in page.text and "the customer" not in page.text


def test_what_comes_into_the_lake_is_seen_when_the_snapshot_is_old(lake, tmp_path):
    copy = tmp_path / "lake"
    shutil.copytree(lake, copy)
    young, old = LakeSource(copy, 600), LakeSource(copy, 0)
    before = marks_of(old, [QUEUE, (("o1", "t1"),)])
    replay(said("exception", MONDAY + 3 * HOUR, "5"), tmp_path, name="more")
    assert [len(one.page(Choice(), 9)) for one in (young, old)] == [3, 4]
    after = marks_of(old, [QUEUE, (("o1", "t1"),)])
    assert not set(before.items()) & set(after.items())
    young.close()
    old.close()


def test_beside_a_database_the_lake_tells_more_of_a_story(lake, database):
    fill(database, 4)
    source = DatabaseAndLake(database, LakeSource(lake, 60))
    told = {standing.tracking_number: standing for standing in source.story("o3")}
    assert any(line.startswith("In the lake: ") for line in told["t3"].lines)
    assert len(told["t3"].sections) > len(source.story("o0")[0].sections)
    assert source.writable
    source.close()


def test_there_must_be_a_lake(tmp_path):
    with pytest.raises(LakeError, match="no lake"):
        LakeSource(tmp_path / "none", 60)
