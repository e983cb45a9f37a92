"""Attacks on every sender: what it did not send is refused, and looked into no further."""

import pytest

from schemas.fields import MINUTE, SECOND
from services.gateway.senders.options import ConfigError
from services.gateway.senders.registry import KINDS, make
from services.gateway.senders.sender import Delivery, Forged
from tests.services.gateway.senders.world import GENERIC, NEW, NOW, OLD, TRIALS, WRONG, fixture

EACH = pytest.mark.parametrize("trial", TRIALS.values(), ids=TRIALS)
SIGNING = pytest.mark.parametrize("trial", [t for t in TRIALS.values() if "body" in t.signs], ids=lambda t: t.kind)
TIMED = pytest.mark.parametrize("trial", [t for t in TRIALS.values() if "time" in t.signs], ids=lambda t: t.kind)


def refused(trial, delivery, *secrets):
    """Tell whether a request is refused, with a reason that gives nothing away."""
    with pytest.raises(Forged) as refusal:
        trial.sender(*(secrets or (NEW, OLD))).verify(delivery)
    text = str(refusal.value)
    shown = [*delivery.headers.values(), *delivery.query.values(), NEW, OLD, WRONG]
    return text.endswith(".") and not any(len(value) > 4 and value in text for value in shown)


def genuine(trial, ts=NOW, secret=NEW):
    """Give a request that the sender sent."""
    return trial.delivery(fixture(trial.kind), ts, secret)


def test_every_kind_is_on_trial():
    assert {trial.kind for trial in TRIALS.values()} == set(KINDS)


@EACH
def test_what_the_sender_sent_is_taken_by_the_new_secret_and_by_the_old_one(trial):
    trial.sender(NEW, OLD).verify(genuine(trial, secret=NEW))
    trial.sender(NEW, OLD).verify(genuine(trial, secret=OLD))
    trial.sender(OLD).verify(genuine(trial, secret=OLD))


@EACH
def test_a_secret_that_is_out_of_use_or_never_was_proves_nothing(trial):
    assert refused(trial, genuine(trial, secret=OLD), NEW)
    assert refused(trial, genuine(trial, secret=WRONG), NEW, OLD)


@EACH
def test_without_its_proof_nothing_is_taken(trial):
    delivery = genuine(trial)
    assert refused(trial, delivery._replace(headers={}, query={}))
    for name in delivery.headers:
        rest = {other: value for other, value in delivery.headers.items() if other != name}
        assert refused(trial, delivery._replace(headers=rest)), name


@EACH
@pytest.mark.parametrize("value", ["", " ", "=", ",", "v1,", "t=,v1=", "hmac-sha256-hex=", "Bearer ", "Basic ", "None"])
def test_an_empty_proof_is_none(trial, value):
    delivery = genuine(trial)
    headers, query = dict.fromkeys(delivery.headers, value), dict.fromkeys(delivery.query, value)
    assert refused(trial, delivery._replace(headers=headers, query=query))


@EACH
@pytest.mark.parametrize("value", ["é" * 64, "\udcff\udc00", "\x00" * 32, "9" * 400, "A" * 100_000])
def test_a_proof_of_odd_characters_is_refused_like_any_other(trial, value):
    delivery = genuine(trial)
    for name in delivery.headers:
        assert refused(trial, delivery._replace(headers={**delivery.headers, name: value})), name
    for name in delivery.query:
        assert refused(trial, delivery._replace(query={name: value})), name


@EACH
def test_a_proof_with_one_character_altered_cut_off_or_added_is_refused(trial):
    delivery = genuine(trial)
    for part in ("headers", "query"):
        values = getattr(delivery, part)
        for name, value in values.items():
            places = {0, 1, len(value) // 2, *range(len(value) - 4, len(value))}
            altered = {value[:at] + ("0" if value[at] != "0" else "1") + value[at + 1 :] for at in places}
            more = {value[:-1], value[1:], value + "0", "0" + value, value.swapcase(), f"{value},{value}"}
            for other in (altered | more) - {value}:
                assert refused(trial, delivery._replace(**{part: {**values, name: other}})), (name, other)


@SIGNING
def test_a_body_altered_at_any_kind_of_place_is_refused(trial):
    delivery = genuine(trial)
    body = delivery.body
    places = {
        0,
        1,
        len(body) // 2,
        len(body) - 2,
        len(body) - 1,
        body.index(b'"'),
        body.index(b":"),
        body.index(b"2026"),
    }
    for at in places:
        for bit in (1, 128):
            altered = body[:at] + bytes([body[at] ^ bit]) + body[at + 1 :]
            assert refused(trial, delivery._replace(body=altered)), at


@SIGNING
def test_a_body_cut_off_emptied_or_lengthened_is_refused(trial):
    delivery = genuine(trial)
    body = delivery.body
    for other in (
        b"",
        body[:-1],
        body[1:],
        body[: len(body) // 2],
        body + b" ",
        b" " + body,
        body + b"\n",
        body + body,
    ):
        assert refused(trial, delivery._replace(body=other))


@SIGNING
def test_the_proof_of_one_body_proves_no_other(trial):
    one, other = trial.delivery(b'{"a":1}'), trial.delivery(b'{"a":2}')
    assert refused(trial, one._replace(body=other.body))


@TIMED
@pytest.mark.parametrize("minutes", [-6, -60, -60 * 24 * 365, 6, 60])
def test_an_old_proof_is_refused_and_one_from_the_future_too(trial, minutes):
    assert refused(trial, genuine(trial, NOW + minutes * MINUTE))


@TIMED
@pytest.mark.parametrize("seconds", [-299, 0, 299])
def test_a_clock_may_be_minutes_off(trial, seconds):
    trial.sender(NEW).verify(genuine(trial, NOW + seconds * SECOND))


@TIMED
def test_the_tolerance_can_be_set(trial):
    late = genuine(trial, NOW - 2 * MINUTE)
    if trial.kind != "shipengine":
        strict = trial._replace(options={**trial.options, "tolerance": "1 min"})
        assert refused(strict, late)


@TIMED
def test_the_time_is_part_of_what_is_signed(trial):
    fresh, stale = genuine(trial, NOW), genuine(trial, NOW - 60 * MINUTE)
    assert refused(trial, Delivery(_with_times_of(stale.headers, fresh.headers), {}, stale.body, NOW))


def _with_times_of(proof, other):
    """Give one request's proof with the time that another one names."""
    if "shippo-auth-signature" in proof:
        time, signature = other["shippo-auth-signature"].split(",")[0], proof["shippo-auth-signature"].split(",")[1]
        return {"shippo-auth-signature": f"{time},{signature}"}
    name = next(name for name in proof if "timestamp" in name)
    return {**proof, name: other[name]}


@EACH
def test_a_proof_under_another_name_is_none(trial):
    delivery = genuine(trial)
    assert refused(trial, delivery._replace(headers={f"x-{n}": v for n, v in delivery.headers.items()}, query={}))
    assert refused(
        trial,
        delivery._replace(headers={}, query={**delivery.headers})
        if delivery.headers
        else delivery._replace(query={}, headers=delivery.query),
    )


def test_of_several_signatures_in_one_header_one_is_enough():
    trial = TRIALS["generic"]
    delivery = genuine(trial)
    signature = delivery.headers["webhook-signature"]
    for written in (f"v1,AAAA {signature}", f"{signature} v1,AAAA", f"v2,AAAA  {signature}"):
        trial.sender(NEW).verify(delivery._replace(headers={**delivery.headers, "webhook-signature": written}))
    unnamed = {**delivery.headers, "webhook-signature": signature.removeprefix("v1,")}
    assert refused(trial, delivery._replace(headers=unnamed))


def test_shippo_s_second_time_does_not_count_for_the_first():
    trial = TRIALS["shippo"]
    stale = genuine(trial, NOW - 60 * MINUTE).headers["shippo-auth-signature"]
    fresh = f"t={NOW // SECOND}"
    for written in (f"{fresh},{stale}", f"{stale},{fresh}"):
        assert refused(trial, genuine(trial)._replace(headers={"shippo-auth-signature": written}))


def test_where_a_client_s_name_is_set_it_must_be_there_too():
    trial = TRIALS["ups"]._replace(options={"client_id": "the client"})
    delivery = genuine(trial)
    assert refused(trial, delivery)
    assert refused(trial, delivery._replace(headers={**delivery.headers, "x-api-key": "another client"}))
    assert refused(trial, delivery._replace(headers={"x-api-key": "the client"}))
    trial.sender(NEW).verify(delivery._replace(headers={**delivery.headers, "x-api-key": "the client"}))


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"shipengine"}))
@pytest.mark.parametrize("secrets", [(), ("",), ("a", ""), ("a", "b", "c")])
def test_a_sender_without_a_secret_is_none(kind, secrets):
    with pytest.raises(ConfigError, match="needs one secret"):
        make(kind, kind, secrets, GENERIC if kind == "generic" else {})


def test_shipengine_has_no_secret():
    with pytest.raises(ConfigError, match="has no secret"):
        make("shipengine", "shipengine", ["a"], {})
