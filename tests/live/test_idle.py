"""A quiet night: no event comes, and what did not happen is told all the same; and what a run says of itself."""

import time
import urllib.request

import pytest

from schemas.clock import Clock
from schemas.events import to_json
from schemas.fields import HOUR, MINUTE, SECOND, to_text
from schemas.spool import SpoolWriter
from scripts.flink.cluster import free_ports
from tests.builders import MONDAY, event
from tests.live.running import LiveRun
from tests.servers import ask

pytestmark = [pytest.mark.flink, pytest.mark.postgres, pytest.mark.usefixtures("flink")]

SPEED = 80.0
"""Of the night's clock: an hour and a half passes in a little more than a minute."""


def names_in_state(lake):
    """Give how many names the state of a step has at most, in the newest whole checkpoint."""
    whole = max((lake / "checkpoints").glob("*/chk-*/_metadata"), key=lambda path: path.stat().st_mtime)
    return max(path.read_bytes().count(b"KEYED_STATE_TYPE") for path in whole.parent.iterdir())


def test_deadlines_fire_in_an_hour_without_an_event(dsn, tmp_path):
    begin = time.time_ns() // 1000 + 15 * SECOND
    clock = Clock(begin, MONDAY, SPEED)
    (port,) = free_ports(1)
    picked = [event("picked", MONDAY + n * MINUTE, f"o{n}", f"t{n}") for n in range(5)]
    packed = event("packed", MONDAY + 20 * MINUTE, "o0", "t0")
    with SpoolWriter(tmp_path / "spool") as writer:
        options = ("--metrics", str(port))
        with LiveRun(tmp_path, [f"spool://{tmp_path / 'spool'}"], dsn, clock, *options) as running:
            while clock.now() < MONDAY + 20 * MINUTE:
                time.sleep(0.1)
            writer.append([to_json(one) for one in (*picked, packed)])
            sent = clock.now()
            raised = "select order_id, kind, (extract(epoch from due_ts) * 1000000)::bigint, check_ts from sla_alerts"
            until = time.monotonic() + 150
            while len(alerts := ask(dsn, raised)) < 4:
                assert running.runs() and time.monotonic() < until, running.said()[-3000:]
                time.sleep(0.5)
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                metrics = answer.read().decode()
        said = running.lines("checkpoint")
    assert sorted(row[:3] for row in alerts) == [
        (f"o{n}", "pick_pack_delay", MONDAY + n * MINUTE + 30 * MINUTE) for n in range(1, 5)
    ]
    lags = []
    for _, _, due, checked in alerts:
        told = MONDAY + int((checked.timestamp() * SECOND - begin) * SPEED)
        assert told >= due, "told before its time"
        lags.append(told - due)
    assert min(due for _, _, due, _ in alerts) > sent - HOUR
    print(
        f"the last event at {to_text(sent)}; 4 deadlines told at most {max(lags) / MINUTE:.0f} minutes of the night's"
        f" clock after they were due, {max(lags) / SPEED / SECOND:.0f} s of ours"
    )
    # A source pauses several times a second, and a name that Flink has once heard stays for ever.
    assert 3 <= names_in_state(tmp_path / "lake") <= 12
    # Of six events there is not a line each, but one a checkpoint.
    assert 5 <= len(said) <= 80 and sum(one["lines"] for one in said) == 6
    for name in (
        "lines_read_total 6.0",
        "events_accepted_total 6.0",
        "lateness_seconds_count 6.0",
        "alert_latency_seconds_count 4.0",
        'told_total{what="statuses"}',
        "open_parcels{",
        "tell_seconds_count",
    ):
        assert f"milepost_{name}" in metrics
