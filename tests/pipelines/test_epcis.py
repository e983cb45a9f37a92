"""EPCIS documents: by the schema that GS1 publishes, and by the rules of the standard that no schema says."""

import datetime
import json
import os
import re
from pathlib import Path

import jsonschema_rs
import pytest

from pipelines.cli import main
from pipelines.epcis import is_prefix, object_event
from schemas.epcis import DAMAGED, HELD, WORDINGS, wording
from schemas.fields import HOUR, MINUTE
from schemas.rows import HubScan
from schemas.stages import STAGES
from tests.builders import MONDAY, event
from tests.pipelines.lakes import put

PREFIX = "https://id.example.com/parcels"
SCHEMA = Path(__file__).parents[2] / "scripts" / "epcis" / "lib" / "EPCISDocument.schema.json"
STEPS = frozenset(
    """accepting arriving assembling collecting commissioning consigning creating_class_instance cycle_counting
    decommissioning departing destroying disassembling dispensing encoding entering_exiting holding inspecting installing
    killing loading other packing picking receiving removing repackaging repairing replacing reserving retail_selling
    sampling sensor_reporting shipping staging_outbound stock_taking stocking storing transporting unloading unpacking
    void_shipping""".split()  # noqa: SIM905
)
"""Of CBV 2.0, section 7.1."""
DISPOSITIONS = frozenset(
    """active available completeness_inferred completeness_verified conformant container_closed container_open
    damaged destroyed dispensed disposed encoded expired in_progress in_transit inactive mismatch_class mismatch_instance
    mismatch_quantity needs_replacement no_pedigree_match non_conformant non_sellable_other partially_dispensed recalled
    reserved retail_sold returned sellable_accessible sellable_not_accessible stolen unavailable unknown""".split()  # noqa: SIM905
)
"""Of CBV 2.0, section 7.2."""
NASTY = "o/1 ü?#:%\"'<"


@pytest.fixture(scope="module")
def by_schema():
    """Give what tells whether a document is one by the schema."""
    if not SCHEMA.exists():
        say = pytest.fail if os.environ.get("MILEPOST_SERVERS") == "1" else pytest.skip
        say("the schema of EPCIS is not there; scripts/epcis/setup fetches it")
    return jsonschema_rs.Draft7Validator(json.loads(SCHEMA.read_text(encoding="utf-8")), validate_formats=True)


@pytest.fixture
def exported(lake, tmp_path):
    """Export a lake's events; give the document."""

    def exported(*words, code=0, prefix=PREFIX):
        out = tmp_path / "out.jsonld"
        words = ["export", "epcis", "--lake", str(lake.path), "--out", str(out), "--epc-prefix", prefix, *words]
        assert main(words) == code
        return json.loads(out.read_bytes()) if code == 0 else None

    return exported


def events(document):
    return document["epcisBody"]["eventList"]


@pytest.fixture
def everything(lake):
    """Fill a lake with every stage, under names that hold what they like."""
    for number, stage in enumerate(STAGES):
        said = {"hub": f"H {number}"} if STAGES[stage].carrier else {}
        put(
            lake,
            "events",
            event(
                stage, MONDAY + number * HOUR, NASTY, "..", carrier="ups", warehouse="W 1", customer="C-secret", **said
            ),
        )
    put(lake, "events", event("exception", MONDAY + 2, NASTY, "..", reason="carrier_damaged_parcel"))
    put(lake, "events", event("exception", MONDAY + 3, NASTY, "..", reason="customs_delay"))
    return lake


@pytest.mark.parametrize("prefix", [PREFIX, "http://x.example:8080", "urn:example:shop"])
def test_a_document_keeps_to_the_schema_of_the_standard(everything, exported, by_schema, prefix):
    document = exported(prefix=prefix)
    assert [fault.message for fault in by_schema.iter_errors(document)] == []
    assert len(events(document)) == len(WORDINGS) + 2


@pytest.mark.parametrize(
    "spoil",
    [
        lambda document: document.pop("creationDate"),
        lambda document: document.update({"schemaVersion": 2}),
        lambda document: events(document)[0].update({"bizStep": "strolling"}),
        lambda document: events(document)[0].update({"disposition": "lost"}),
        lambda document: events(document)[0].update({"eventTime": "yesterday"}),
        lambda document: events(document)[0].update({"epcList": ["no uri"]}),
        lambda document: events(document)[0].update({"customer_id": "C"}),
        lambda document: events(document)[0].pop("eventTimeZoneOffset"),
        lambda document: events(document)[0].pop("action"),
    ],
)
def test_the_schema_would_tell_a_document_that_is_wrong(everything, exported, by_schema, spoil):
    document = exported()
    spoil(document)
    assert not by_schema.is_valid(document)


def test_a_document_says_what_it_is(everything, exported):
    before = datetime.datetime.now(datetime.UTC)
    document = exported()
    assert (document["type"], document["schemaVersion"]) == ("EPCISDocument", "2.0")
    assert document["@context"] == [
        "https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld",
        {"milepost": f"{PREFIX}/milepost/"},
    ]
    created = datetime.datetime.fromisoformat(document["creationDate"])
    assert abs(created - before) < datetime.timedelta(minutes=5)


def test_a_parcels_way_is_told_in_order_in_the_words_of_the_standard(lake, exported, capsys):
    way = {"picked": 0, "packed": 1, "labeled": 2, "carrier_scanned": 3, "out_for_delivery": 9, "attempt_failed": 10}
    put(lake, "events", *(event(stage, MONDAY + hours * HOUR, carrier="ups") for stage, hours in way.items()))
    put(lake, "events", event("delivered", MONDAY + 30 * HOUR + 5, carrier="ups"))
    found = [(one["bizStep"], one["disposition"]) for one in events(exported())]
    assert found == [
        ("picking", "in_progress"),
        ("packing", "in_progress"),
        ("staging_outbound", "in_progress"),
        ("shipping", "in_transit"),
        ("transporting", "in_transit"),
        ("accepting", "completeness_inferred"),
    ]
    said = "Wrote 6 EPCIS events (left out 1 that its vocabulary has no word for: attempt_failed 1) to "
    assert capsys.readouterr().out.startswith(said)


def test_one_event_in_full(lake, exported):
    put(lake, "events", event("hub_in", MONDAY + 5, carrier="ups", hub="AMD/1", customer="C-secret"))
    (found,) = events(exported())
    assert re.fullmatch(
        r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", found.pop("eventID")
    )
    assert found == {
        "type": "ObjectEvent",
        "eventTime": "2026-03-02T00:00:00.000005Z",
        "eventTimeZoneOffset": "+00:00",
        "epcList": [f"{PREFIX}/obj/o1:t1"],
        "action": "OBSERVE",
        "bizStep": "arriving",
        "disposition": "in_transit",
        "readPoint": {"id": f"{PREFIX}/loc/ups:AMD%2F1"},
        "bizLocation": {"id": f"{PREFIX}/loc/ups:AMD%2F1"},
        "bizTransactionList": [{"type": "po", "bizTransaction": f"{PREFIX}/bt/o1"}],
    }


def test_where_a_parcel_has_left_it_is_no_more(lake, exported):
    put(lake, "events", event("hub_out", MONDAY, carrier="ups", hub="AMD"))
    (found,) = events(exported())
    assert "readPoint" in found and "bizLocation" not in found


def test_no_name_can_be_taken_for_another_nor_for_a_step_in_a_path(everything, exported):
    (name,) = {epc for one in events(exported()) for epc in one["epcList"]}
    assert name == f"{PREFIX}/obj/o%2F1%20%C3%BC%3F%23%3A%25%22%27%3C:%2E%2E"


def test_nothing_of_the_customer_is_told(everything, exported):
    assert "C-secret" not in json.dumps(exported())


def test_ids_are_the_same_each_time_and_differ_by_event_and_namespace(everything, exported):
    first, again, other = (
        [one["eventID"] for one in events(document)]
        for document in (exported(), exported(), exported(prefix="https://other.example"))
    )
    assert first == again
    assert len({*first, *other}) == 2 * len(first)


def test_a_delivery_on_the_way_back_is_a_return(lake, exported):
    put(lake, "events", event("return_started", MONDAY), event("delivered", MONDAY + HOUR))
    (found,) = events(exported())
    assert (found["bizStep"], found["disposition"]) == ("receiving", "returned")


def test_hub_scans_of_the_files_are_told_once_and_of_the_parcel_under_way(lake, exported):
    put(lake, "events", event("carrier_scanned", MONDAY, "o1", "t1", carrier="ups"))
    put(lake, "events", event("carrier_scanned", MONDAY + 100 * HOUR, "o2", "t1", carrier="ups"))
    put(lake, "events", event("hub_in", MONDAY + HOUR, "o1", "t1", carrier="ups", hub="A"))
    scans = [
        ("hub_in", HOUR, "A"),
        ("hub_out", 2 * HOUR, "A"),
        ("hub_in", 101 * HOUR, "B"),
        ("delivered", 3 * HOUR, ""),
    ]
    put(lake, "hub_scans", *(HubScan("ups", "t1", MONDAY + at, "X", hub, stage, None, "f") for stage, at, hub in scans))
    put(lake, "hub_scans", HubScan("ups", "t9", MONDAY + 9 * MINUTE, "X", "A", "hub_in", None, "f"))
    found = [(one["bizStep"], one["epcList"][0].rpartition("/")[2]) for one in events(exported())]
    assert found == [
        ("shipping", "o1:t1"),
        ("arriving", "o1:t1"),
        ("departing", "o1:t1"),
        ("shipping", "o2:t1"),
        ("arriving", "o2:t1"),
    ]


def test_a_day_or_a_parcel_can_be_chosen(lake, exported, by_schema, capsys):
    put(lake, "events", event("picked", MONDAY), event("picked", MONDAY + 24 * HOUR, "o2", "t2"))
    day = exported("--from", "2026-03-03", "--to", "2026-03-03")
    assert [one["epcList"] for one in events(day)] == [[f"{PREFIX}/obj/o2:t2"]]
    assert events(exported("--order", "o1")) == events(exported("--tracking-number", "t1"))
    empty = exported("--from", "2026-04-01")
    assert events(empty) == [] and by_schema.is_valid(empty)
    capsys.readouterr()
    exported("--order", "nobody's", code=1)
    assert capsys.readouterr().err == "milepost: The lake knows nothing of that parcel in that time.\n"


def test_every_word_is_one_of_the_vocabulary():
    words = [*WORDINGS.values(), DAMAGED, HELD]
    assert {one.biz_step for one in words} <= STEPS
    assert {one.disposition for one in words} - {None} <= DISPOSITIONS
    assert set(WORDINGS) <= set(STAGES)


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("carrier_damaged_parcel", DAMAGED),
        ("customs_delay", HELD),
        ("weather_delay", None),
        ("my customs_delay", None),
        (None, None),
    ],
)
def test_an_exception_has_a_word_only_for_damage_and_customs(reason, words):
    assert wording("exception", reason) == words


def test_what_customs_hold_says_why():
    row = {"stage": "exception", "reason": "customs_delay", "returning": False, "event_id": "e", "order_id": "o"}
    row |= {"tracking_number": "t", "hub": None, "warehouse_id": None, "carrier": None}
    row["event_ts"] = datetime.datetime(2026, 3, 2, tzinfo=datetime.UTC)
    found = object_event(row, PREFIX)
    assert (found["bizStep"], found["milepost:reason"]) == ("holding", "customs_delay")


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("https://id.example.com", True),
        ("https://id.example.com/a/b", True),
        ("urn:example:shop", True),
        ("", False),
        ("https://", False),
        ("https://id.example.com/", False),
        ("https://id.example.com/a?b", False),
        ("https://id.example.com/a b", False),
        ("ftp://id.example.com", False),
        ("urn:x", False),
        ('https://x.example/"', False),
    ],
)
def test_a_prefix_is_a_uri_without_an_end(text, fits):
    assert is_prefix(text) == fits
