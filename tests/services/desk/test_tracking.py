"""The customers' page: one parcel for who has its link, nothing for anybody else, and no room to guess."""

import re

import pytest

from schemas.fields import HOUR
from services.desk import tracking
from services.desk.config import read_config
from services.desk.people import People
from services.tokens import Tokens
from tests.builders import MONDAY, event
from tests.services.desk.conftest import SECRET, TRACK, fill, tell, token

QUICK = TRACK + "guesses = 1\nguesses_at_once = 3\nall_guesses = 1\nall_guesses_at_once = 5\n"


def track(browser, number, shown, **more):
    """Open the page."""
    return browser.get(f"/track/{number}", params={"t": shown}, **more)


@pytest.fixture
def shop(database):
    """An order of two parcels, another order, and a tracking number that was used again."""
    fill(database, 3, promise=MONDAY + 48 * HOUR)
    told = {"customer": "the customer", "carrier": "quick_hop", "warehouse": "the warehouse"}
    tell(database, [
        event("out_for_delivery", MONDAY + HOUR, order="o1", waybill="t1", **told),
        event("packed", MONDAY, order="o1", waybill="another parcel", **told),
        event("delivered", MONDAY + HOUR, order="a later order", waybill="t1"),
        event("exception", MONDAY, order="o 9/é", waybill="n 9/é?#%", reason="=x"),
    ])  # fmt: skip
    return database


def test_who_has_the_link_sees_the_parcel_and_nothing_else(desk, source, shop):
    with desk(source) as browser:
        page = track(browser, "t1", token("o1", "t1"))
    assert page.status_code == 200
    assert '<h1 id="summary">Out for delivery</h1>' in page.text
    assert "Late by" in page.text and "4 March 2026, 00:00 UTC" in page.text
    for hidden in (
        "the customer",
        "the warehouse",
        "W<",
        "another parcel",
        "a later order",
        "o1",
        "o0",
        "t0",
        "evidence",
    ):
        assert hidden not in re.sub(r"t=[\w-]+", "", page.text)


def test_a_number_that_was_used_again_shows_each_customer_their_own(desk, source, shop):
    with desk(source) as browser:
        assert "Out for delivery" in track(browser, "t1", token("o1", "t1")).text
        assert ">Delivered<" in track(browser, "t1", token("a later order", "t1")).text


def test_any_letters_may_be_in_a_number(desk, source, shop):
    with desk(source) as browser:
        page = track(browser, "n%209%2F%C3%A9%3F%23%25", token("o 9/é", "n 9/é?#%"))
    assert "n 9/é?#%" in page.text and "=x" not in page.text


def test_all_that_is_wrong_gets_one_and_the_same_answer(desk, source, shop):
    good = token("o1", "t1")
    with desk(source, TRACK + "guesses_at_once = 99\n") as browser:
        answers = [
            track(browser, number, shown)
            for number, shown in (
                ("t1", token("o0", "t0")),
                ("t1", token("o1", "another parcel")),
                ("t0", good),
                ("t1", good[:-1]),
                ("t1", good + "A"),
                ("t1", good.swapcase()),
                ("t1", ""),
                ("t1", "é\0"),
                ("nowhere", good),
                ("nowhere", ""),
                ("", good),
                ("t1%00", good),
                ("a" * 5000, good),
            )
        ]
        answers += [browser.get("/track-live/t1", params={"t": "x"}), browser.get("/track/t1")]
        assert {(one.status_code, one.text) for one in answers} == {(404, answers[0].text)}
        assert {tuple(sorted(one.headers.items())) for one in answers} == {tuple(sorted(answers[0].headers.items()))}
        assert tracking.UNKNOWN in answers[0].text
        assert browser.count("guesses", went="wrong") == len(answers)


def test_guessing_is_held_back_by_address_even_when_it_hits(desk, source, shop):
    with desk(source, QUICK) as browser:
        assert [track(browser, "t1", "x").status_code for _ in range(4)] == [404, 404, 404, 429]
        held = track(browser, "t1", token("o1", "t1"))
        assert held.status_code == 429 and int(held.headers["retry-after"]) >= 1
        assert browser.get("/track-live/t1", params={"t": token("o1", "t1")}).status_code == 429
        assert browser.count("guesses", went="held_back") == 3


def test_guessing_from_many_addresses_is_held_back_too(desk, source, shop):
    text = QUICK + '[proxy]\naddresses = ["127.0.0.1"]\n'
    with desk(source, text) as browser:
        from_many = [track(browser, "t1", "x", headers={"x-forwarded-for": f"192.0.2.{n}"}) for n in range(6)]
        assert [one.status_code for one in from_many] == [404] * 5 + [429]


def test_an_address_is_not_what_a_client_says(desk, source, shop):
    for text, client in ((QUICK, "192.0.2.1"), (QUICK + '[proxy]\naddresses = ["127.0.0.1"]\n', "127.0.0.1")):
        with desk(source, text, client=(client, 1)) as browser:
            says = [{"x-forwarded-for": f"10.9.8.{n}, 192.0.2.1"} for n in range(4)]
            assert [track(browser, "t1", "x", headers=one).status_code for one in says] == [404, 404, 404, 429]


def test_who_looks_at_a_parcel_often_is_no_guesser(desk, source, shop):
    with desk(source, QUICK) as browser:
        assert {track(browser, "t1", token("o1", "t1")).status_code for _ in range(20)} == {200}


def test_links_of_the_secret_before_still_open(desk, source, shop, monkeypatch):
    monkeypatch.setenv("TRACK_NEW", "n" * 40)
    text = TRACK.replace('["TRACK_SECRET"]', '["TRACK_NEW", "TRACK_SECRET"]')
    with desk(source, text) as browser:
        assert track(browser, "t1", token("o1", "t1")).status_code == 200
        assert track(browser, "t1", Tokens(["n" * 40]).make("o1", "t1")).status_code == 200
        assert track(browser, "t1", Tokens(["o" * 40]).make("o1", "t1")).status_code == 404


def test_without_its_part_in_the_file_there_is_no_page(desk, source, shop):
    with desk(source, "") as browser:
        assert track(browser, "t1", token("o1", "t1")).status_code == 404


def test_no_two_parcels_have_one_token_and_none_says_whose_it_is():
    tokens = Tokens([SECRET])
    pairs = [("a", "bc"), ("ab", "c"), ("", "abc"), ("abc", ""), ("1:a", "b"), ("1", ":ab"), ("bc", "a")]
    made = {tokens.make(*pair) for pair in pairs}
    assert len(made) == len(pairs)
    assert all(re.fullmatch(r"[\w-]{22}", one) for one in made)
    assert tokens.opened(pairs, tokens.make("ab", "c")) == 1
    assert tokens.opened([], tokens.make("", "")) is None
    assert tokens.opened([("a", "b")], tokens.make("", "")) is None


def test_an_address_is_counted_by_who_has_it(tmp_path):
    (tmp_path / "c.toml").write_text('[proxy]\naddresses = ["10.0.0.0/8", "::1"]\n')
    people = People(read_config(tmp_path / "c.toml"), SECRET, secure=True)

    class Asked:
        def __init__(self, peer, *forwarded):
            from starlette.datastructures import Address, Headers

            self.client = Address(peer, 1) if peer else None
            self.headers = Headers(raw=[(b"x-forwarded-for", one.encode()) for one in forwarded])

    for asked, address in (
        (Asked("192.0.2.1", "1.2.3.4"), "192.0.2.1"),
        (Asked("10.0.0.1", "1.2.3.4, 192.0.2.7"), "192.0.2.7"),
        (Asked("10.0.0.1", "1.2.3.4", "192.0.2.7, 10.0.0.9"), "192.0.2.7"),
        (Asked("::1", "2001:db8::1"), "2001:db8::1"),
        (Asked("10.0.0.1"), "10.0.0.1"),
        (Asked(""), ""),
    ):
        assert people.address(asked) == address
