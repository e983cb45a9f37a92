"""A Kafka that goes away under load, and a gateway killed meanwhile: all that was answered arrives, each parcel in order.

MILEPOST_OUTAGE makes the outage as many seconds long; five minutes are 300.
"""

import json
import os
import signal
import threading
import time
import uuid
from collections import defaultdict

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from pipelines.cli import main
from schemas.spool import segments
from scripts.kafka.broker import Broker
from services.gateway.brokers.broker import Away, Message
from services.gateway.brokers.kafka import KafkaBroker
from services.gateway.room import pending
from tests.services.gateway.conftest import SECRET
from tests.services.gateway.processes import Process
from tests.sources.conftest import broker  # noqa: F401

pytestmark = pytest.mark.kafka

OUTAGE = float(os.environ.get("MILEPOST_OUTAGE", "20"))
RATE = 500
BEFORE, AFTER = 3.0, 6.0
PARTITIONS = 4
DELHIVERY = "[sender.delhivery]\nsecrets = ['DELHIVERY_SECRET']\n"


def make(kafka, topic):
    """Make a topic."""
    admin = AdminClient({"bootstrap.servers": kafka.address, "log_level": 2})
    admin.create_topics([NewTopic(topic, num_partitions=PARTITIONS)])[topic].result(20)


def arrived(kafka, topic):
    """Give the key and the event of each message, partition after partition."""
    consumer = Consumer(
        {"bootstrap.servers": kafka.address, "group.id": "test", "enable.partition.eof": True, "log_level": 2}
    )
    found, ended = [], 0
    try:
        consumer.assign([TopicPartition(topic, number, 0) for number in range(PARTITIONS)])
        until = time.monotonic() + 60
        while ended < PARTITIONS and time.monotonic() < until:
            for got in consumer.consume(5_000, 1.0):
                if got.error():
                    ended += 1
                else:
                    found.append((got.partition(), got.key().decode(), json.loads(got.value())))
        assert ended == PARTITIONS
    finally:
        consumer.close()
    return found


def is_subsequence(wanted, whole):
    """Tell whether all of it comes in its order, whatever else comes between."""
    rest = iter(whole)
    return all(any(one == other for other in rest) for one in wanted)


@pytest.fixture
def own_broker(tmp_path):
    """A broker that may be killed."""
    from tests.sources.conftest import STAMP, lack

    if not STAMP.exists():
        lack("Kafka is not set up: run scripts/kafka/setup")
    with Broker(tmp_path / "kafka", partitions=PARTITIONS) as running:
        yield running


def test_an_outage_under_load_with_two_kills(own_broker, tmp_path, monkeypatch):
    monkeypatch.setenv("DELHIVERY_SECRET", SECRET)
    make(own_broker, "events")
    spool, ledger = tmp_path / "spool", tmp_path / "ledger.jsonl"
    process = Process(
        tmp_path, f"kafka://{own_broker.address}/events", "--spool", str(spool), senders=DELHIVERY,
        more="[spool]\nsegment = 262144\n",
    )  # fmt: skip
    with process:
        seconds = BEFORE + OUTAGE + AFTER
        words = ["load", "--url", process.url, "--config", str(process.config), "--rate", str(RATE), "--hasten", "60",
                 "--seconds", str(int(seconds)), "--ledger", str(ledger), "--json"]  # fmt: skip
        load = threading.Thread(target=main, args=(words,))
        load.start()
        time.sleep(BEFORE)
        own_broker.stop(signal.SIGKILL)
        for _ in range(2):
            time.sleep(OUTAGE / 3)
            process.end(signal.SIGKILL)
            process.start()
        time.sleep(OUTAGE / 3)
        grown = pending(spool)
        own_broker.start()
        back = time.monotonic()
        load.join()
        while pending(spool):
            assert time.monotonic() - back < 120, process.log.read_text()
            time.sleep(0.1)
        drained = time.monotonic() - back
        assert process.end() == 0

    accepted = [json.loads(line) for line in ledger.read_bytes().splitlines()]
    messages = arrived(own_broker, "events")
    by_parcel, partitions = defaultdict(list), defaultdict(set)
    for partition, key, event in messages:
        assert key == event["tracking_number"]
        by_parcel[key].append(event["event_ts"])
        partitions[key].add(partition)
    lost = [one for one in accepted if one["event_ts"] not in by_parcel[one["tracking_number"]]]
    in_order = defaultdict(list)
    for one in accepted:
        if one["attempt"] == 1:
            in_order[one["tracking_number"]].append(one["event_ts"])
    disordered = [key for key, wanted in in_order.items() if not is_subsequence(wanted, by_parcel[key])]
    late = sum(one["attempt"] > 1 for one in accepted)
    print(
        f"\noutage {OUTAGE:.0f} s at {RATE}/s, 2 kills: {len(accepted):,} answered 2xx ({late:,} of them at a later"
        f" attempt), {len(lost)} lost, {len(disordered)} of {len(in_order):,} parcels out of order;"
        f" spool grew to {grown / 1024:,.0f} KiB, drained {drained:.1f} s after the broker was back;"
        f" {len(messages):,} messages, {len(messages) - sum(map(len, map(set, by_parcel.values()))):,} of them repeats"
    )
    assert lost == [] and disordered == []
    assert len(accepted) > RATE * seconds * 0.5
    assert {len(found) for found in partitions.values()} == {1}
    assert grown > 0 and "broker_away" in process.said() and "broker_back" in process.said()
    assert segments(spool)[0] > 1, "what is done is deleted"


def test_a_topic_takes_all_of_a_batch_by_key(broker):  # noqa: F811
    topic = f"t{uuid.uuid4().hex[:8]}"
    make(broker, topic)
    kafka = KafkaBroker(broker.address, topic)
    wanted = [Message(f"t{n % 9}", b'{"n":%d}' % n) for n in range(2_000)]
    kafka.publish(wanted[:1_000], threading.Event())
    kafka.publish(wanted[1_000:], threading.Event())
    kafka.close()
    found = defaultdict(list)
    for _, key, event in arrived(broker, topic):
        found[key].append(event["n"])
    assert found == {f"t{n}": list(range(n, 2_000, 9)) for n in range(9)}


def test_a_broker_that_is_not_there_is_said_so_and_leaves_nothing_behind(monkeypatch):
    kafka = KafkaBroker("127.0.0.1:1", "events", (("message.timeout.ms", "300"),))
    for _ in range(2):
        with pytest.raises(Away):
            kafka.publish([Message("t", b"{}")], threading.Event())
        assert kafka._producer is None
    kafka.close()


def test_told_to_stop_it_gives_up_a_batch():
    kafka = KafkaBroker("127.0.0.1:1", "events")
    stop = threading.Event()
    stop.set()
    with pytest.raises(Away):
        kafka.publish([Message("t", b"{}")], stop)
