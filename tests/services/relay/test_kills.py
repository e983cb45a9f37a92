"""A relay as a process of its own: killed at random moments, stopped, and asked how it does."""

import json
import os
import random
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager

import pytest

from scripts.servers import free_ports
from tests.servers import ask
from tests.services.relay.conftest import SECRET, configured, fill, lines, states, webhook
from tests.services.relay.receiver import Receiver
from tests.services.relay.test_relay import wait_for

ROWS = 240
MILEPOST = "import sys; from pipelines.cli import main; sys.exit(main())"
KILLS = int(os.environ.get("MILEPOST_KILLS", "4"))
"""More of them make the test longer."""


def start(config, outbox, *more):
    """Start a relay."""
    return subprocess.Popen(
        [sys.executable, "-c", MILEPOST, "relay", "--outbox", outbox, "--config", str(config), *more],
        env=os.environ | {"HOOK_SECRET": SECRET},
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def running(config, outbox, *more):
    """Start a relay, and leave none behind."""
    relay = start(config, outbox, *more)
    try:
        yield relay
    finally:
        if relay.poll() is None:
            relay.kill()
            relay.communicate()


def end(process, how=signal.SIGTERM):
    """End a relay; give what it said."""
    process.send_signal(how)
    return process.communicate(timeout=30)[1]


@pytest.mark.parametrize("policy", ["at_most_once", "at_least_once"])
def test_relays_killed_at_random_moments(outbox, tmp_path, policy):
    fill(outbox, ROWS, ("webhook", "trial"))
    trial = {"kind": "file", "path": str(tmp_path / "sent.jsonl"), "after_timeout": policy, "timeout": "1 s"}
    with Receiver(lambda number: (time.sleep(0.01), 200)[1]) as receiver:
        text = webhook(receiver.url, after_timeout=policy) + "[channel.trial]\n" + lines(trial)
        config = configured(tmp_path, text)
        kills = 0
        for _ in range(KILLS):
            had = receiver.number
            with running(config, outbox) as relay:
                # Killed while it sends, not while it is still starting.
                wait_for(lambda had=had: receiver.number > had)
                time.sleep(random.uniform(0, 0.1))
                end(relay, signal.SIGKILL)
            kills += 1
        with running(config, outbox) as relay:
            wait_for(lambda: all(states(outbox, name).keys() <= {"sent", "failed"} for name in ("webhook", "trial")))
            said = end(relay)
    assert relay.returncode == 0, said
    sends = receiver.requests
    failed = states(outbox).get("failed", 0)
    repeated = sum(count - 1 for count in sends.values())
    print(
        f"{policy}: {kills} kills, {len(sends)} of {ROWS} keys came, {repeated} of them again, {failed} rows in doubt"
    )
    if policy == "at_most_once":
        assert max(sends.values()) == 1
        assert len(sends) >= ROWS - failed and failed <= 2 * kills
    else:
        assert failed == 0 and len(sends) == ROWS and repeated <= 2 * kills
    keys = [json.loads(line)["key"] for line in (tmp_path / "sent.jsonl").read_text().splitlines()]
    assert len(keys) == len(set(keys)) >= ROWS - states(outbox, "trial").get("failed", 0)


def test_it_says_how_it_does_and_nothing_of_the_messages(outbox, tmp_path):
    fill(outbox, 5, ("webhook", "sms"))
    (port,) = free_ports(1)
    with (
        Receiver() as receiver,
        running(configured(tmp_path, webhook(receiver.url)), outbox, "--metrics", str(port)) as relay,
    ):
        try:
            wait_for(lambda: states(outbox) == {"sent": 5})

            def metrics():
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                    return answer.read().decode()

            wait_for(lambda: 'milepost_outbox_rows{channel="sms"} 5.0' in metrics())
            assert 'milepost_relay_sends_total{channel="webhook",went="sent"} 5.0' in metrics()
        finally:
            said = end(relay)
    assert relay.returncode == 0
    told = [json.loads(line) for line in said.splitlines()]
    assert [one["event"] for one in told][0 :: len(told) - 1] == ["started", "stopped"]
    assert sum(one.get("sent", 0) for one in told if one["event"] == "batch") == 5
    assert "c1" not in said and SECRET not in said and "t0" not in said


def test_it_ends_when_all_is_sent_if_asked_to(outbox, tmp_path):
    fill(outbox, 3)
    with Receiver() as receiver, running(configured(tmp_path, webhook(receiver.url)), outbox, "--drain") as relay:
        said = relay.communicate(timeout=30)[1]
    assert relay.returncode == 0, said
    assert states(outbox) == {"sent": 3}


@pytest.mark.postgres
def test_a_database_that_dies_under_it_is_waited_for(cluster, tmp_path, monkeypatch):
    from scripts.postgres.cluster import Postgres
    from tests.services.relay.conftest import Running
    from transforms.tell.stores import migrate

    monkeypatch.setenv("HOOK_SECRET", SECRET)
    with Postgres() as mine, Receiver(lambda number: (time.sleep(0.005), 200)[1]) as receiver:
        migrate(mine.dsn)
        fill(mine.dsn, ROWS)
        with Running(configured(tmp_path, webhook(receiver.url)), mine.dsn):
            for _ in range(3):
                time.sleep(0.2)
                mine.kill()
                time.sleep(0.1)
                mine.start()
            wait_for(lambda: states(mine.dsn) == {"sent": ROWS}, 60)
        assert len(receiver.requests) == ROWS
        # The answer of a message that was on its way is noted as soon as the database is back.
        assert set(receiver.requests.values()) == {1}
        assert ask(mine.dsn, "select max(attempts) from outbox") == [(1,)]
