"""Each row is sent once, by however many relays, to receivers that refuse, hang and come back."""

import json
import threading
import time

import pytest

from pipelines.cli import main
from schemas.news import idempotency_key
from services.relay.config import read_config
from services.relay.outbox import Outbox
from services.relay.relay import Relay
from services.tokens import Tokens
from tests.servers import ask
from tests.services.relay.conftest import Running, configured, drain, fill, lines, states, webhook
from tests.services.relay.receiver import Receiver

PATIENCE = 20


def wait_for(what, patience=PATIENCE):
    """Wait until something holds."""
    until = time.monotonic() + patience
    while not what():
        assert time.monotonic() < until, "it did not come to pass in time"
        time.sleep(0.02)


def test_a_row_is_sent_once_and_says_what_happened(outbox, tmp_path):
    fill(outbox, 1)
    with Receiver() as receiver:
        drain(configured(tmp_path, webhook(receiver.url)), outbox)
        drain(configured(tmp_path, webhook(receiver.url)), outbox)
    key = idempotency_key("o0", "t0", "shipped", "webhook")
    assert receiver.requests == {key: 1}
    (said,) = receiver.bodies()
    assert said == {
        "type": "parcel.shipped",
        "timestamp": "2026-03-02T09:00:00Z",
        "data": {
            "milestone": "shipped",
            "order_id": "o0",
            "tracking_number": "t0",
            "customer_id": "c1",
            "happened_at": "2026-03-02T09:00:00Z",
        },
    }
    assert ask(outbox, "select state, attempts, last_error from outbox") == [("sent", 1, None)]


def test_a_message_has_the_link_to_its_parcels_page_where_there_is_one(outbox, tmp_path, monkeypatch):
    monkeypatch.setenv("TRACK_SECRET", "a secret of the tests, long enough for all")
    fill(outbox, 1)
    text = {"kind": "file", "path": str(tmp_path / "sent.jsonl"), "timeout": "1 s"}
    track = '[track]\nsecrets = ["TRACK_SECRET"]\nurl = "https://shop.example/"\n'
    drain(configured(tmp_path, "[channel.webhook]\n" + lines(text) + track), outbox)
    said = json.loads((tmp_path / "sent.jsonl").read_text())
    token = Tokens(["a secret of the tests, long enough for all"]).make("o0", "t0")
    assert said["track_url"] == f"https://shop.example/track/t0?t={token}"
    assert "track_url" not in str(ask(outbox, "select payload from outbox"))


def test_a_link_without_its_secret_stops_the_relay_before_it_begins(outbox, tmp_path, capsys):
    text = {"kind": "file", "path": str(tmp_path / "sent.jsonl"), "timeout": "1 s"}
    track = '[track]\nsecrets = ["NOT_THERE"]\nurl = "https://shop.example/"\n'
    config = configured(tmp_path, "[channel.webhook]\n" + lines(text) + track)
    assert main(["relay", "--outbox", outbox, "--config", str(config)]) == 2
    assert "NOT_THERE, which the file names, is not set." in capsys.readouterr().err


def test_three_relays_at_once_send_each_row_once(outbox, tmp_path):
    fill(outbox, 150)
    with Receiver() as receiver:
        config = read_config(configured(tmp_path, webhook(receiver.url, senders=3, after_timeout="at_most_once")))
        relays = [Relay(config, outbox, drain=True) for _ in range(3)]
        threads = [threading.Thread(target=relay.run) for relay in relays]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert states(outbox) == {"sent": 150}
        assert set(receiver.requests.values()) == {1} and len(receiver.requests) == 150


@pytest.mark.parametrize("status", [500, 429, 404, 301])
def test_a_receiver_that_refuses_for_a_while_gets_all_of_it_later(outbox, tmp_path, status):
    fill(outbox, 10)
    with Receiver(lambda number: status if number < 25 else 200) as receiver:
        with Running(configured(tmp_path, webhook(receiver.url)), outbox):
            wait_for(lambda: states(outbox) == {"sent": 10})
        assert set(receiver.taken.values()) == {1} and len(receiver.taken) == 10
        assert sum(receiver.requests.values()) == 35


def test_retry_after_is_heeded(outbox, tmp_path):
    fill(outbox, 1)
    with Receiver(lambda number: 429 if number == 0 else 200, {"Retry-After": "2"}) as receiver:
        began = time.monotonic()
        with Running(configured(tmp_path, webhook(receiver.url)), outbox):
            wait_for(lambda: states(outbox) == {"sent": 1})
        assert time.monotonic() - began >= 2
        assert sum(receiver.requests.values()) == 2


def test_nobody_listens_for_a_while(outbox, tmp_path):
    fill(outbox, 3)
    with Receiver() as gone:
        url = gone.url
    config = configured(tmp_path, webhook(url, after_timeout="at_most_once", tries=1000))
    with Running(config, outbox):
        wait_for(lambda: ask(outbox, "select min(attempts) from outbox")[0][0] >= 2)
        assert states(outbox).get("failed") is None, "a message that never left is in no doubt"
    assert ask(outbox, "select distinct last_error from outbox") == [("no connection (ConnectionRefusedError)",)]
    with Receiver() as receiver:
        with Running(configured(tmp_path, webhook(receiver.url)), outbox):
            wait_for(lambda: states(outbox) == {"sent": 3})
        assert set(receiver.taken.values()) == {1}


def test_a_channel_that_hangs_holds_no_other(outbox, tmp_path):
    fill(outbox, 8, ("webhook", "trial"))
    trial = "[channel.trial]\n" + lines({"kind": "file", "path": str(tmp_path / "sent.jsonl"), "timeout": "1 s"})
    with Receiver(lambda number: None) as receiver:
        began = time.monotonic()
        with Running(configured(tmp_path, webhook(receiver.url) + trial), outbox):
            wait_for(lambda: states(outbox, "trial") == {"sent": 8})
            assert time.monotonic() - began < 1.5
            assert "sent" not in states(outbox)
        receiver.released.set()
    keys = [json.loads(line)["key"] for line in (tmp_path / "sent.jsonl").read_text().splitlines()]
    assert len(keys) == len(set(keys)) == 8


@pytest.mark.parametrize("drip", [0.0, 0.3], ids=["it hangs", "it drips"])
def test_after_an_ambiguous_time_out_the_policy_decides(outbox, tmp_path, drip):
    fill(outbox, 2)
    behave = (lambda number: 200) if drip else (lambda number: None)
    with Receiver(behave, drip=drip) as receiver:
        began = time.monotonic()
        drain(configured(tmp_path, webhook(receiver.url, after_timeout="at_most_once")), outbox)
        assert time.monotonic() - began < 6
        assert states(outbox) == {"failed": 2}
        assert set(receiver.requests.values()) == {1}
    fill(outbox, 2, first=2)
    with Receiver(lambda number: None if number < 2 else 200) as receiver:
        with Running(configured(tmp_path, webhook(receiver.url)), outbox):
            wait_for(lambda: states(outbox) == {"failed": 2, "sent": 2})
        assert sorted(receiver.requests.values()) == [2, 2], "again, with the same key"


def test_a_row_that_is_refused_too_often_is_dead(outbox, tmp_path):
    fill(outbox, 2)
    with Receiver(lambda number: 500) as receiver:
        with Running(configured(tmp_path, webhook(receiver.url, tries=3)), outbox) as relay:
            wait_for(lambda: states(outbox) == {"dead": 2})
        assert sorted(receiver.requests.values()) == [3, 3]
    assert ask(outbox, "select distinct last_error, attempts from outbox") == [("answer 500", 3)]
    assert relay.metrics.registry.get_sample_value(
        "milepost_relay_ended_total", {"channel": "webhook", "state": "dead"}
    ) == 2  # fmt: skip


def test_a_lease_that_ran_out_is_another_relays(outbox):
    fill(outbox, 2)
    one, other = Outbox(outbox), Outbox(outbox)
    try:
        mine = one.claim("webhook", 5, 0.2, once=True)
        assert len(mine) == 2 and other.claim("webhook", 5, 5, once=True) == []
        assert one.begin(mine[0], 0.2)
        time.sleep(0.3)
        (theirs,) = other.claim("webhook", 5, 5, once=True)
        assert theirs.id == mine[1].id and states(outbox) == {"failed": 1, "pending": 1}
        assert not one.begin(mine[1], 5)
        one.sent(mine[0])
        assert states(outbox) == {"sent": 1, "pending": 1}, "that it was sent is true whoever says so"
        assert other.begin(theirs, 5)
        one.again(mine[1], 0, "late")
        assert states(outbox) == {"sent": 1, "sending": 1}
    finally:
        one.close()
        other.close()


def test_a_lease_that_runs_out_while_another_relay_claims_is_not_claimed_over(outbox, monkeypatch):
    fill(outbox, 1)
    one, other = Outbox(outbox), Outbox(outbox)
    transact = other._transact

    def slowly(work):
        def between(execute):
            return lambda sql, given: (execute(sql, given), time.sleep(0.7))[0]

        return transact(lambda execute: work(between(execute)))

    monkeypatch.setattr(other, "_transact", slowly)
    try:
        (mine,) = one.claim("webhook", 5, 0.5, once=True)
        assert one.begin(mine, 0.5)
        assert other.claim("webhook", 5, 5, once=True) == []
        assert other.claim("webhook", 5, 5, once=True) == [] and states(outbox) == {"failed": 1}
    finally:
        one.close()
        other.close()


def test_one_that_is_told_to_stop_gives_back_what_it_has_not_sent(outbox, tmp_path):
    fill(outbox, 30)
    with Receiver() as receiver:
        slow = threading.Event()
        receiver.behave = lambda number: (time.sleep(0.05), slow.set(), 200)[2]
        with Running(configured(tmp_path, webhook(receiver.url, senders=1)), outbox):
            slow.wait(PATIENCE)
        counted = states(outbox)
        assert counted["pending"] + counted["sent"] == 30 and counted["sent"] < 30
        assert ask(outbox, "select count(*) from outbox where leased_until is not null") == [(0,)]
        drain(configured(tmp_path, webhook(receiver.url)), outbox)
        assert set(receiver.requests.values()) == {1} and len(receiver.requests) == 30
