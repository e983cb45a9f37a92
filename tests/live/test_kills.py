"""Kills at random moments of a live day on a real cluster: nothing lost, nothing twice, and nobody had to lend a hand."""

import os
import threading
import time
import uuid
from collections import Counter

import pytest
from confluent_kafka import Producer

from pipelines.query import open_lake
from pipelines.simulate import run
from scripts.flink.cluster import Cluster
from scripts.kafka.broker import STAMP, Broker
from tests.live.days import Playing, check_messages, compressed, until_sent
from tests.live.killing import JobKiller, SideKiller, told
from tests.live.running import LiveRun, RelayRun
from tests.servers import ask
from tests.services.relay.receiver import Receiver
from tests.sources import test_kafka
from tests.sources.conftest import lack
from transforms.publish.lake import LakeError

pytestmark = [pytest.mark.flink, pytest.mark.postgres, pytest.mark.kafka, pytest.mark.usefixtures("flink")]

KILLS = int(os.environ.get("MILEPOST_KILLS", "30"))
JOB = ("taskmanager", "worker", "worker", "taskmanager", "whole", "worker", "launcher")
SIDE = ("relay", "postgres", "broker", "relay", "postgres", "relay", "broker", "postgres", "relay")
JOB_PAUSE, SIDE_PAUSE = 6.0, 5.0
"""Mean seconds between two kills: for the job after it has come back, else it would only come back again."""
SLOW_START = 35.0
"""Seconds until a job runs on a cluster: its jars are sent there first."""


def shared(kinds, count):
    """Give so many of some kinds, each by its share."""
    return [kinds[number % len(kinds)] for number in range(count)]


class Reading(threading.Thread):
    """Reads the lake over and over, as an analyst would: each time it must be whole, and never less than before."""

    def __init__(self, lake):
        """Take the lake."""
        super().__init__(daemon=True)
        self.lake, self.over, self.reads, self.faults = lake, threading.Event(), 0, []

    def run(self):
        """Read until told to stop."""
        before = 0
        while not self.over.wait(0.5):
            try:
                with open_lake(self.lake) as db:
                    ((rows, keys),) = db.sql("select count(*), count(distinct event_id) from events").fetchall()
                    ((marks, distinct),) = db.sql(
                        "select count(*), count(distinct (alert_id, state)) from alerts"
                    ).fetchall()
            except LakeError:
                if before:
                    raise
                continue
            self.reads += 1
            if rows != keys or rows < before or marks != distinct:
                self.faults.append((before, rows, keys, marks, distinct))
            before = rows


@pytest.fixture
def broker(tmp_path):
    """A broker of this test's own, which may die."""
    if not STAMP.exists():
        lack("Kafka is not set up: run scripts/kafka/setup")
    with Broker(tmp_path / "kafka") as running:
        yield running


def sender(broker, topic):
    """Give what sends lines to a topic, each by its parcel, and gives up on none however long the broker is away."""
    settings = {"enable.idempotence": True, "delivery.timeout.ms": 300_000, "log_level": 2, "linger.ms": 5}
    producer = Producer({"bootstrap.servers": broker.address, **settings})

    def send(lines):
        for line in lines:
            producer.produce(topic, line)
        producer.poll(0)

    return send, producer


def test_a_day_with_kills_ends_as_one_without(tmp_path, dsn, cluster, broker):
    shop, topic = tmp_path / "shop", f"day{uuid.uuid4().hex[:8]}"
    run(shop, 600, 1, 5)
    test_kafka.make(broker, topic)
    (tmp_path / "flink").mkdir()
    jobs = shared(JOB, max(1, KILLS * 11 // 30))
    sides = shared(SIDE, max(0, KILLS - len(jobs)))
    # The job comes back in some ten seconds, a whole cluster in forty.
    seconds = len(jobs) * (JOB_PAUSE + 12) + jobs.count("whole") * 30
    with Cluster(tmp_path / "flink") as flink, Receiver() as receiver:
        clock = compressed(shop, seconds, delay=SLOW_START)
        send, producer = sender(broker, topic)
        options = ("--max_bundle_size=200",)
        job = LiveRun(tmp_path, [f"kafka://{broker.address}/{topic}?readers=2"], dsn, clock, *options, cluster=flink)
        with job, RelayRun(tmp_path, dsn, receiver.url) as relay:
            reading = Reading(job.lake)
            reading.start()
            playing = Playing(shop, clock, send)
            playing.start()
            time.sleep(SLOW_START)
            killers = (
                JobKiller(flink, job, jobs, JOB_PAUSE, 7),
                SideKiller(cluster, broker, relay, sides, SIDE_PAUSE, 8),
            )
            for killer in killers:
                killer.start()
            for killer in killers:
                killer.finish()
            playing.join()
            assert producer.flush(60) == 0
            took = job.until_true(shop)
            until_sent(dsn)
            repeated = check_messages(dsn, receiver)
            reading.over.set()
            reading.join()
            restored = sum(flink.ask(f"/jobs/{one}/checkpoints")["counts"]["restored"] for one in flink.jobs())
    killed = Counter(killers[0].done + killers[1].done)
    assert killed.total() == KILLS
    assert restored, "the job went on with no checkpoint"
    assert reading.reads and reading.faults == []
    lost = ask(dsn, "select count(*) from outbox where state in ('failed', 'dead')")[0][0]
    assert lost == 0
    print(
        f"{KILLS} kills ({', '.join(f'{kind} {count}' for kind, count in sorted(killed.items()))}):"
        f" the job was away {told(killers[0].away)}; true {took:.0f} s after the day; lake, database and"
        f" {len(receiver.requests):,} messages as without, 0 lost, 0 twice ({repeated} sent again by the same key);"
        f" {reading.reads} reads of the lake, 0 of them torn"
    )
