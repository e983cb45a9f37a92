"""A Pub/Sub subscription as a source, with the emulator and without an engine."""

import uuid

import pytest
from apache_beam.utils.timestamp import MAX_TIMESTAMP
from google.cloud import pubsub_v1

from pipelines.errors import UsageError
from pipelines.sources import open_source, puller
from pipelines.sources.pubsub import PubSubSource
from pipelines.sources.unbounded import Timing
from schemas.clock import Clock
from schemas.fields import HOUR, MINUTE
from tests.sources.driving import Driver
from tests.sources.events import BASE, line, lines

pytestmark = pytest.mark.pubsub


@pytest.fixture
def subscription(emulator):
    """The name of a new subscription, and of its topic."""
    name = f"s{uuid.uuid4().hex[:8]}"
    subscribe(name)
    yield name
    for key in list(puller._PULLERS):
        puller.close_puller(*key)


def subscribe(name, deadline=10):
    with pubsub_v1.SubscriberClient() as client:
        pubsub_v1.PublisherClient().create_topic(name=f"projects/trial/topics/{name}")
        client.create_subscription(
            name=f"projects/trial/subscriptions/{name}",
            topic=f"projects/trial/topics/{name}",
            ack_deadline_seconds=deadline,
        )


def send(name, bodies):
    client = pubsub_v1.PublisherClient()
    for future in [client.publish(f"projects/trial/topics/{name}", body) for body in bodies]:
        future.result(30)


def source(name, clock=None):
    return PubSubSource("trial", name, Timing(clock or Clock(until=BASE + 1000 * HOUR), 5 * MINUTE))


def test_every_message_comes_however_often_readers_are_made(subscription):
    send(subscription, lines(0, 3_000))
    driver = Driver(source(subscription))
    while len(driver.lines) < 3_000:
        driver.step()
        driver.checkpoint().finalize_checkpoint()
    driver.settle(3_000)
    assert sorted(driver.lines) == sorted(lines(0, 3_000))


def test_a_lost_reader_goes_on_from_the_mark(subscription):
    send(subscription, lines(0, 1_000))
    driver = Driver(source(subscription))
    driver.read(300)
    driver.checkpoint(anew=False)
    kept = list(driver.lines)
    driver.read(900)
    driver.crash()
    driver.lines = kept
    driver.settle(1_000)
    assert sorted(driver.lines) == sorted(lines(0, 1_000))


def test_what_is_not_finished_comes_again_in_another_process(subscription):
    send(subscription, lines(0, 10))
    driver = Driver(source(subscription))
    driver.read(10)
    driver.checkpoint().finalize_checkpoint()
    send(subscription, lines(10, 10))
    driver.read(20)
    driver.checkpoint()
    # Another process has a puller of its own; and the marks of this one mean nothing to it.
    puller.close_puller(*next(iter(puller._PULLERS)))
    driver.crash()
    driver.lines.clear()
    driver.settle(10)
    assert sorted(driver.lines) == sorted(lines(10, 10))


def test_leases_are_extended_while_a_checkpoint_is_open(emulator, subscription, monkeypatch):
    monkeypatch.setattr(puller, "LEASE", 10)
    monkeypatch.setattr(puller, "EXTEND", 3.0)
    send(subscription, lines(0, 50))
    driver = Driver(source(subscription))
    driver.read(50)
    mark = driver.checkpoint()
    driver.settle(50, 14)
    assert len(driver.lines) == 50
    mark.finalize_checkpoint()
    driver.settle(50, 12)
    assert len(driver.lines) == 50


def test_a_message_may_have_several_lines(subscription):
    send(subscription, [b"\n".join(lines(0, 3)) + b"\n", line(3)])
    driver = Driver(source(subscription))
    driver.read(4)
    assert sorted(driver.lines) == lines(0, 4)


def test_no_more_is_kept_than_there_is_room_for(subscription, monkeypatch):
    monkeypatch.setattr(puller, "KEPT", 100)
    monkeypatch.setattr(puller, "AT_ONCE", 50)
    send(subscription, lines(0, 400))
    driver = Driver(source(subscription))
    driver.settle(100)
    assert 100 <= len(driver.lines) < 200
    while len(driver.lines) < 400:
        driver.checkpoint().finalize_checkpoint()
        driver.step()
    assert sorted(driver.lines) == sorted(lines(0, 400))


def test_a_trial_ends_when_its_clock_does_and_everything_is_read(subscription, monkeypatch):
    for name in ("pipelines.sources.watermarks.QUIET", "pipelines.sources.unbounded.QUIET"):
        monkeypatch.setattr(name, 1.0)
    monkeypatch.setattr(puller, "WAIT", 1.0)
    send(subscription, lines(0, 100))
    driver = Driver(source(subscription, Clock(until=BASE + HOUR)))
    while driver.watermark != MAX_TIMESTAMP:
        driver.step()
    assert sorted(driver.lines) == sorted(lines(0, 100))


def test_a_subscription_that_is_not_there_is_one_sentence(emulator):
    with pytest.raises(UsageError, match="cannot be read"):
        open_source("pubsub://trial/none", "")


def test_a_service_that_is_away_is_waited_for(emulator, subscription, monkeypatch, caplog):
    monkeypatch.setattr("pipelines.sources.watermarks.QUIET", 0.5)
    monkeypatch.setattr(puller, "WAIT", 1.0)
    driver = Driver(source(subscription, Clock(until=BASE + HOUR)))
    send(subscription, [line(0)])
    driver.read(1)
    driver.checkpoint().finalize_checkpoint()
    emulator.stop(9)
    try:
        before = driver.reader.watermarks.newest.copy()
        driver.settle(len(driver.lines), 8)
        assert driver.reader.watermarks.newest == before
    finally:
        emulator.start()
    # The emulator forgets everything.
    subscribe(subscription)
    send(subscription, [line(1)])
    driver.read(2, patience=60)
    assert driver.lines == lines(0, 2)
    assert "'event': 'away'" in caplog.text
