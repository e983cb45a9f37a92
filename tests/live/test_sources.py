"""A simulated day from each source, on Flink with checkpoints, into the lake, Postgres and a relay: all say the truth."""

import os
import uuid
from functools import partial
from pathlib import Path

import pytest

from pipelines.live import run_live
from pipelines.simulate import run
from schemas.policy import Policy
from schemas.spool import SpoolWriter
from tests.live.days import Playing, check_messages, check_same, compressed, still, until_sent
from tests.live.running import LiveRun, RelayRun
from tests.services.relay.receiver import Receiver
from tests.sources import test_kafka, test_pubsub

pytestmark = [pytest.mark.flink, pytest.mark.postgres, pytest.mark.usefixtures("flink")]

SECONDS = float(os.environ.get("MILEPOST_DAY_SECONDS", "100"))
"""How long the day lasts that is played while the job runs."""
TABLES = ("events", "milestones", "current_alerts", "visits", "order_status", "sla_status")


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Path:
    """Make up a day."""
    folder = tmp_path_factory.mktemp("day") / "shop"
    run(folder, 600, 1, 5)
    return folder


@pytest.fixture(scope="module")
def replayed(shop, tmp_path_factory) -> Path:
    """Replay the day from its file, on the DirectRunner."""
    lake = tmp_path_factory.mktemp("replayed") / "lake"
    run_live(str(shop / "events.jsonl"), str(lake), Policy())
    return lake


def ends_well(running: LiveRun, shop: Path, replayed: Path, receiver: Receiver) -> None:
    """Make sure that a day ends in the truth, in what its replay gives, and in one message for each piece of news."""
    running.until_true(shop)
    check_same(running.lake, replayed, *TABLES)
    assert list(running.lake.glob("checkpoints/*/chk-*/_metadata")), "no checkpoint was taken"
    until_sent(running.store)
    assert check_messages(running.store, receiver) == 0


def test_a_spool_that_is_written_while_the_day_passes(shop, replayed, dsn, tmp_path):
    clock = compressed(shop, SECONDS, delay=15)
    with SpoolWriter(tmp_path / "spool") as writer, Receiver() as receiver:
        spool = f"spool://{tmp_path / 'spool'}"
        with LiveRun(tmp_path, [spool], dsn, clock) as running, RelayRun(tmp_path, dsn, receiver.url):
            Playing(shop, clock, writer.append).start()
            ends_well(running, shop, replayed, receiver)


@pytest.mark.kafka
def test_a_kafka_topic(shop, replayed, dsn, broker, tmp_path):
    topic = f"day{uuid.uuid4().hex[:8]}"
    test_kafka.make(broker, topic)
    clock = compressed(shop, SECONDS, delay=15)
    with (
        Receiver() as receiver,
        LiveRun(tmp_path, [f"kafka://{broker.address}/{topic}"], dsn, clock) as running,
        RelayRun(tmp_path, dsn, receiver.url),
    ):
        Playing(shop, clock, partial(test_kafka.send, broker, topic)).start()
        ends_well(running, shop, replayed, receiver)


@pytest.mark.pubsub
def test_a_pubsub_subscription(shop, replayed, dsn, emulator, tmp_path):
    name = f"day{uuid.uuid4().hex[:8]}"
    test_pubsub.subscribe(name)
    clock = compressed(shop, SECONDS, delay=15)
    with (
        Receiver() as receiver,
        LiveRun(tmp_path, [f"pubsub://trial/{name}"], dsn, clock) as running,
        RelayRun(tmp_path, dsn, receiver.url),
    ):
        Playing(shop, clock, partial(test_pubsub.send, name)).start()
        ends_well(running, shop, replayed, receiver)


@pytest.mark.kafka
def test_a_day_that_has_passed_already(shop, replayed, dsn, broker, tmp_path):
    topic = f"day{uuid.uuid4().hex[:8]}"
    test_kafka.make(broker, topic)
    test_kafka.send(broker, topic, (shop / "events.jsonl").read_bytes().splitlines())
    uri = f"kafka://{broker.address}/{topic}"
    with (
        Receiver() as receiver,
        LiveRun(tmp_path, [uri], dsn, still(shop)) as running,
        RelayRun(tmp_path, dsn, receiver.url),
    ):
        ends_well(running, shop, replayed, receiver)
