"""What codes mean, held beside the senders' own lists and the cross-walk of the documents."""

import re

import pytest

from services.gateway.senders.registry import KINDS
from services.gateway.senders.tables import FOLDER, on_return, parse_table, read_table
from tests.services.gateway.senders import vocabulary as words

COLUMNS = {
    "EasyPost": "easypost", "Shippo": "shippo", "AfterShip": "aftership", "ShipEngine": "shipengine",
    "Delhivery": "delhivery", "ClickPost": "clickpost", "Shiprocket": "shiprocket", "17TRACK": "seventeen_track",
    "UPS": "ups",
}  # fmt: skip

SHIPROCKET = {
    entry.split(" ", 1)[0]: entry.split(" ", 1)[1].lower() for entry in re.split(r"\s*·\s*", words.SHIPROCKET.strip())
}


def meanings(kind, *place):
    """Give what a code says, as pairs."""
    found = read_table(kind).meanings(place)
    return None if found is None else [tuple(meaning) for meaning in found]


def crosswalk():
    """Give each code of the cross-walk: kind, code, stage, reason."""
    header, *rows = (
        [cell.strip() for cell in line.strip("|").split("|")] for line in words.CROSSWALK.strip().splitlines()
    )
    for stage, *cells in rows:
        for column, cell in zip(header[1:], cells, strict=True):
            # Delhivery's statuses have spaces in them.
            for code in re.split(r" (?=[A-Z]{2}/)" if column == "Delhivery" else " ", cell) if cell else []:
                yield COLUMNS[column], code, *[*stage.split(), None][:2]


def place_of(kind, code):
    """Give the parts of a code as the cross-walk writes it."""
    if kind == "shiprocket":
        return code, SHIPROCKET[code]
    if kind == "ups":
        return tuple(code.split("/")) if "/" in code else ("X", "", code)
    return tuple(code.split("/"))


@pytest.mark.parametrize(("kind", "code", "stage", "reason"), [*crosswalk()])
def test_the_cross_walk_holds(kind, code, stage, reason):
    found = meanings(kind, *place_of(kind, code))
    assert found, "the code is not known"
    if stage == "*":
        assert {told for _, told in found} == {reason}
        assert {told for told, _ in found} <= {"exception", "attempt_failed"}
    elif reason:
        assert (stage, reason) in found
    else:
        assert stage in [told for told, _ in found]


def documented():
    """Give every code of every sender's own list."""
    flat = {"shippo": words.SHIPPO, "aftership": words.AFTERSHIP, "shipengine": words.SHIPENGINE,
            "seventeen_track": words.SEVENTEEN_TRACK}  # fmt: skip
    for kind, codes in flat.items():
        yield from ((kind, (code,)) for code in codes)
    yield from (("shiprocket", pair) for pair in SHIPROCKET.items())
    yield from (("clickpost", (code, "")) for code in words.CLICKPOST)
    yield from (("clickpost", ("9", ndr)) for ndr in words.CLICKPOST_NDR)
    yield from (("delhivery", (*pair, "")) for pair in words.DELHIVERY)
    yield from (("easypost", (status, "")) for status in words.EASYPOST_STATUSES)
    yield from (
        ("easypost", ("in_transit", detail))
        for detail in words.EASYPOST_DETAILS
        if detail not in ("cancelled", "failure")
    )


@pytest.mark.parametrize(("kind", "place"), [*documented()], ids=str)
def test_every_code_that_is_documented_is_known(kind, place):
    assert meanings(kind, *place) is not None


@pytest.mark.parametrize(
    ("kind", "place"),
    [
        ("easypost", ("unknown", "unknown")),
        ("easypost", ("in_transit", "moon_phase")),
        ("easypost", ("DELIVERED", "delivered")),
        ("shippo", ("UNKNOWN",)),
        ("shippo", ("other",)),
        ("aftership", ("Exception_014",)),
        ("aftership", ("Delivered_006",)),
        ("shipengine", ("UN",)),
        ("shiprocket", ("7", "delivered late")),
        ("shiprocket", ("27", "")),
        ("clickpost", ("33", "")),
        ("clickpost", ("9", "14")),
        ("delhivery", ("DL", "LOST", "")),
        ("blue_dart", ("T", "001")),
        ("ups", ("D", "", "")),
        ("ups", ("D", "FS", "999")),
        ("seventeen_track", ("Delivered_Maybe",)),
        ("seventeen_track", ("",)),
    ],
    ids=str,
)
def test_a_code_that_is_not_documented_is_not_guessed(kind, place):
    assert meanings(kind, *place) is None


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"generic"}))
def test_reasons_are_karrio_s_words(kind):
    table = read_table(kind)
    assert {reason for said in table.known.values() for _, reason in said if reason} <= words.REASONS
    assert table.description


def test_every_table_is_some_kind_s():
    assert {path.stem for path in FOLDER.glob("*.toml")} == set(KINDS) - {"generic"}


def test_only_what_says_so_is_a_delivery():
    for kind in sorted(set(KINDS) - {"generic"}):
        for place, said in read_table(kind).known.items():
            if "delivered" in [stage for stage, _ in said]:
                assert (
                    re.search("deliver|^DE$|COLLECTED_FROM_PICKUP|^8$", "/".join(place[:2]), re.I) or place[0] == "8"
                ), place
                assert not re.search("rto|dto|return", "/".join(place), re.I), place


@pytest.mark.parametrize(
    ("stage", "on_the_way_back"),
    [("labeled", []), ("carrier_scanned", ["return_started"]), ("hub_in", ["return_started"]), ("attempt_failed", []),
     ("exception", ["exception"]), ("lost", ["lost"]), ("delivered", ["returned"]), ("returned", ["returned"]),
     ("cancelled", [])],
)  # fmt: skip
def test_on_its_way_back_a_parcel_goes_another_way(stage, on_the_way_back):
    table = parse_table({"key": ["a"], "description": "-", "codes": [{"stage": stage, "codes": ["x"]}]})
    assert [meaning.stage for meaning in on_return(table.meanings(("x",)))] == on_the_way_back


@pytest.mark.parametrize(
    ("codes", "ignored", "fault"),
    [
        ([{"stage": "flown", "codes": ["a/b"]}], [], "the stage 'flown' is unknown"),
        (
            [{"stage": "exception", "reason": "bad luck", "codes": ["a/b"]}],
            [],
            "the reason 'bad luck' cannot be one of exception",
        ),
        ([{"stage": "delivered", "reason": "consignee_refused", "codes": ["a/b"]}], [], "cannot be one of delivered"),
        ([{"stage": "delivered", "codes": ["a"]}], [], "the code 'a' has not 2 parts"),
        ([{"stage": "delivered", "codes": ["a/b"]}], ["a/b"], "both ignored and mapped"),
        ([{"stage": "delivered", "codes": ["a/b", "a/b"]}], [], "the code 'a/b' is written twice"),
        ([{"stage": "delivered", "code": ["a/b"]}], [], "codes"),
    ],
)
def test_a_table_that_cannot_be_is_refused(codes, ignored, fault):
    with pytest.raises(ValueError, match=re.escape(fault)):
        parse_table({"key": ["status", "detail"], "description": "-", "codes": codes, "ignored": ignored})


def test_the_code_with_fewer_stars_goes_first():
    table = parse_table({
        "key": ["a", "b"], "description": "-", "ignored": ["x/*"],
        "codes": [{"stage": "delivered", "codes": ["x/1"]}, {"stage": "lost", "codes": ["*/2"]}],
    })  # fmt: skip
    assert [meaning.stage for meaning in table.meanings(("x", "1"))] == ["delivered"]
    assert table.meanings(("x", "9")) == ()
    assert [meaning.stage for meaning in table.meanings(("y", "2"))] == ["lost"]
    assert table.meanings(("y", "9")) is None
