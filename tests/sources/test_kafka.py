"""A Kafka topic as a source, with a real broker and without an engine."""

import time
import uuid

import pytest
from apache_beam.utils.timestamp import MAX_TIMESTAMP, Timestamp
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from pipelines.errors import UsageError
from pipelines.sources import kafka, open_source, unbounded
from pipelines.sources.kafka import KafkaSource
from pipelines.sources.unbounded import Timing
from schemas.clock import Clock
from schemas.fields import DAY, HOUR, MINUTE
from tests.sources.driving import Driver
from tests.sources.events import BASE, line, lines

pytestmark = pytest.mark.kafka


@pytest.fixture
def topic(broker):
    """A new topic of four partitions, and what writes to it."""
    name = f"t{uuid.uuid4().hex[:8]}"
    make(broker, name)
    yield name
    for key in list(kafka._CONNECTIONS):
        kafka._close(key)


def make(broker, name, partitions=4):
    admin = AdminClient({"bootstrap.servers": broker.address, "log_level": 2})
    admin.create_topics([NewTopic(name, num_partitions=partitions)])[name].result(10)


def send(broker, topic, bodies, partition=None):
    """Write messages; by turns to each of four partitions, unless one is named."""
    producer = Producer({"bootstrap.servers": broker.address, "log_level": 2})
    for number, body in enumerate(bodies):
        producer.produce(topic, body, partition=number % 4 if partition is None else partition)
    assert producer.flush(30) == 0


def source(broker, topic, clock=None, readers=1):
    return KafkaSource(
        broker.address, topic, Timing(clock or Clock(until=BASE + 1000 * HOUR), 5 * MINUTE), readers=readers
    )


def by_partition(some):
    return [[one for one in some if int(one.split(b'"')[3][1:]) % 4 == number] for number in range(4)]


def test_every_message_comes_once_in_order_however_often_readers_are_made(broker, topic):
    send(broker, topic, lines(0, 5_000))
    driver = Driver(source(broker, topic))
    while len(driver.lines) < 5_000:
        driver.step()
        driver.checkpoint()
    driver.settle(5_000)
    assert by_partition(driver.lines) == by_partition(lines(0, 5_000))
    assert len(kafka._CONNECTIONS) == 1


def test_a_lost_reader_goes_on_from_the_mark(broker, topic):
    send(broker, topic, lines(0, 3_000))
    driver = Driver(source(broker, topic))
    driver.read(1_000)
    driver.checkpoint(anew=False)
    kept = list(driver.lines)
    driver.read(2_500)
    driver.crash()
    driver.lines = kept
    driver.settle(3_000)
    assert by_partition(driver.lines) == by_partition(lines(0, 3_000))


def test_readers_that_take_turns_at_one_connection_keep_their_own_positions(broker, topic):
    send(broker, topic, lines(0, 2_000))
    one, two = Driver(source(broker, topic)), Driver(source(broker, topic))
    for _ in range(12):
        one.step()
        two.step()
    one.settle(2_000)
    two.settle(2_000)
    assert by_partition(one.lines) == by_partition(two.lines) == by_partition(lines(0, 2_000))


def test_a_message_may_have_several_lines_or_none(broker, topic):
    send(broker, topic, [b"\n".join(lines(0, 3)) + b"\n", b"", None, line(3)], partition=0)
    driver = Driver(source(broker, topic))
    driver.settle(4)
    assert driver.lines == lines(0, 4)
    assert dict(driver.checkpoint().progress.positions)[0] == (4,)


def test_parts_share_the_partitions(broker, topic):
    send(broker, topic, lines(0, 400))
    parts = source(broker, topic, readers=3).split(20)
    assert len(parts) == 3 and len(source(broker, topic, readers=9).split(20)) == 4
    drivers = [Driver(part) for part in parts]
    for driver, count in zip(drivers, (200, 100, 100), strict=True):
        driver.settle(count)
    assert [len(driver.lines) for driver in drivers] == [200, 100, 100]
    assert sorted(one for driver in drivers for one in driver.lines) == sorted(lines(0, 400))


def test_what_is_finished_is_committed_and_where_a_job_without_a_mark_begins(broker, topic):
    send(broker, topic, lines(0, 40))
    driver = Driver(source(broker, topic))
    driver.read(40)
    driver.checkpoint().finalize_checkpoint()
    group = Consumer({"bootstrap.servers": broker.address, "group.id": "milepost", "log_level": 2})
    for _ in range(50):
        offsets = [one.offset for one in group.committed([TopicPartition(topic, n) for n in range(4)], timeout=5)]
        if offsets == [10] * 4:
            break
        time.sleep(0.1)
    group.close()
    assert offsets == [10] * 4
    send(broker, topic, lines(40, 4))
    fresh = Driver(source(broker, topic))
    fresh.settle(4)
    assert sorted(fresh.lines) == sorted(lines(40, 4))


def test_the_watermark_waits_for_every_partition_until_it_is_idle(broker, topic, monkeypatch):
    monkeypatch.setattr("pipelines.sources.watermarks.QUIET", 1.0)
    monkeypatch.setattr(unbounded, "TICK", 0.2)
    clock = Clock(until=BASE + DAY)
    send(broker, topic, [line(0), b'{"event_ts":"9999-12-31T23:59:59Z"}'], partition=0)
    driver = Driver(source(broker, topic, clock))
    driver.read(2)
    assert driver.watermark == unbounded.MIN_TIMESTAMP
    seen = []
    while driver.watermark != Timestamp(micros=BASE + DAY - 5 * MINUTE):
        driver.step()
        seen.append(driver.watermark)
    # The others may be idle a moment before this one is.
    assert set(seen[:-1]) <= {unbounded.MIN_TIMESTAMP, Timestamp(micros=BASE - 5 * MINUTE)}


def test_a_broker_that_is_away_is_waited_for_and_time_stands_still(broker, topic, monkeypatch, caplog):
    monkeypatch.setattr("pipelines.sources.watermarks.QUIET", 0.5)
    monkeypatch.setattr(unbounded, "TICK", 0.2)
    send(broker, topic, lines(0, 100))
    driver = Driver(source(broker, topic, Clock(until=BASE + DAY)))
    driver.read(100)
    broker.stop(9)
    try:
        before = driver.reader.watermarks.newest.copy()
        until = time.monotonic() + 6
        while time.monotonic() < until:
            driver.step()
            driver.checkpoint()
        assert driver.reader.watermarks.newest == before
    finally:
        broker.start()
    send(broker, topic, lines(100, 100))
    driver.read(200, patience=60)
    assert by_partition(driver.lines) == by_partition(lines(0, 200))
    assert "'event': 'away'" in caplog.text


def test_a_trial_ends_when_its_clock_does_and_everything_is_read(broker, topic, monkeypatch):
    for name in ("pipelines.sources.watermarks.QUIET", "pipelines.sources.unbounded.QUIET"):
        monkeypatch.setattr(name, 1.0)
    monkeypatch.setattr(unbounded, "TICK", 0.2)
    send(broker, topic, lines(0, 100))
    driver = Driver(source(broker, topic, Clock(until=BASE + HOUR)))
    while driver.watermark != MAX_TIMESTAMP:
        driver.step()
    assert len(driver.lines) == 100


def test_a_topic_that_is_not_there_is_one_sentence(broker):
    with pytest.raises(UsageError, match="cannot be read"):
        open_source("kafka://127.0.0.1:1/topic", "")
    with pytest.raises(UsageError, match="has no topic"):
        open_source(f"kafka://{broker.address}/no topic!", "")
