"""Nobody's name, number, address or code gets past the door."""

import re

import msgspec
import pytest

from services.gateway.senders import plain
from services.gateway.senders.sender import Malformed
from tests.services.gateway.senders.world import NEW, NOW, TRIALS, fixture, fixtures

PEOPLE = re.compile(
    r"asha|98200 ?12345|555 0143|482913|example\.com|hill road|ABCDE1234F|c2lnbmF0dXJl|aGVsbG8", re.IGNORECASE
)
"""What the fixtures hold of a person: name, telephones, one-time code, mail, street, tax number, signature, picture."""

KINDS = sorted({trial.kind for trial in TRIALS.values()})


@pytest.mark.parametrize("kind", KINDS)
def test_no_event_and_no_count_holds_anything_of_a_person(kind):
    assert PEOPLE.search(fixture(kind).decode()), "a fixture without people shows nothing"
    for body in fixtures(kind):
        try:
            parsed = TRIALS[kind].sender(NEW).parse(body, NOW)
        except Malformed as fault:
            assert not PEOPLE.search(str(fault))
            continue
        assert not PEOPLE.search(msgspec.json.encode(parsed).decode())


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_said_of_a_bad_body_repeats_nothing_of_it(kind):
    body = re.sub(rb'"[^"]*"(?=\s*[,}\]])|(?<=: )\d+', b'"Asha Rao 9820012345"', fixture(kind))
    try:
        parsed = TRIALS[kind].sender(NEW).parse(body, NOW)
    except Malformed as fault:
        assert not PEOPLE.search(str(fault))
    else:
        assert parsed.events == []


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("Pune_Kharadi_D (Maharashtra)", "Pune_Kharadi_D (Maharashtra)"),
        ("  NORTH \n HOUSTON ", "NORTH HOUSTON"),
        ("München", "München"),
        ("US-TN 38118", "US-TN 38118"),
        ("call 98200 12345", None),
        ("+1 (212) 555-0143", None),
        ("asha@example.com", None),
        ("x" * 65, None),
        ("a\x00b", None),
        ("", None),
        (None, None),
    ],
)
def test_a_place_is_a_place(written, kept):
    assert plain.place(written) == kept


def test_a_code_is_shown_without_what_could_be_a_number_of_somebody_s():
    assert plain.code(["call 98200 12345", "<b>"]) == "call _/_b_"
    assert plain.code([""]) == "none"
