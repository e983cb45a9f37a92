"""The forwarder: in order, at least once, noted only when the broker has it; whatever the broker does."""

import json
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.spool import Place, SpoolWriter, note_done, read_done, segments
from services.gateway import forward
from services.gateway.brokers.broker import Away
from services.gateway.brokers.pubsub import LANES, lane
from services.gateway.forward import Forwarder, message
from services.gateway.metrics import Metrics
from services.gateway.room import pending
from tests.services.gateway.conftest import delivery

SAID = ["carrier_scanned", "carrier_scanned", "hub_in", "carrier_scanned", "hub_in", "hub_out"]


class Broker:
    """A broker that may be away, or take a part of a batch and say nothing."""

    name = "broker://trial"

    def __init__(self, *answers):
        """Take what it answers in turn: how many messages it takes before it fails; None for all."""
        self.answers = list(answers)
        self.taken = []
        self.calls = threading.Semaphore(0)
        self.closed = False

    def publish(self, messages, stop):
        """Take messages."""
        some = self.answers.pop(0) if self.answers else None
        self.taken += messages[:some]
        self.calls.release()
        if some is not None:
            raise Away("not there")

    def close(self):
        """End."""
        self.closed = True


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """No waiting."""
    monkeypatch.setattr(forward, "FIRST_WAIT", 0.0)
    monkeypatch.setattr(forward, "LONGEST_WAIT", 0.0)
    monkeypatch.setattr(forward, "LOOK", 0.01)


def write(folder, first, count, parcels=7, segment_bytes=2_000):
    """Write events of some parcels in turn."""
    lines = [
        json.dumps({"tracking_number": f"t{n % parcels}", "event_id": str(n)}).encode()
        for n in range(first, first + count)
    ]
    with SpoolWriter(folder, segment_bytes) as writer:
        for line in lines:
            writer.append([line])
    return [message(line) for line in lines]


def drain(folder, broker, metrics=None):
    """Forward until all is done."""
    forwarder = Forwarder(folder, broker, metrics or Metrics())
    forwarder.start()
    try:
        for _ in range(2_000):
            if pending(folder) == 0:
                break
            assert forwarder.is_alive()
            broker.calls.acquire(timeout=0.01)
        assert pending(folder) == 0
    finally:
        forwarder.stop(10)
    assert not forwarder.is_alive() and broker.closed
    return forwarder


def test_everything_in_order_by_its_parcel(tmp_path):
    wanted = write(tmp_path, 0, 200)
    assert len(segments(tmp_path)) > 3
    broker, metrics = Broker(), Metrics()
    drain(tmp_path, broker, metrics)
    assert broker.taken == wanted
    assert {one.key for one in broker.taken} == {f"t{n}" for n in range(7)}
    assert metrics.registry.get_sample_value("milepost_gateway_forwarded_total") == 200


@given(st.lists(st.integers(0, 30) | st.none(), max_size=8), st.integers(100, 4_000))
@settings(max_examples=30)
def test_a_broker_that_fails_loses_nothing_and_keeps_each_parcel_in_order(tmp_path_factory, answers, batch):
    folder = tmp_path_factory.mktemp("spool")
    wanted = write(folder, 0, 60)
    broker = Broker(*answers)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forward, "BATCH_BYTES", batch)
        drain(folder, broker)
    assert list(dict.fromkeys(broker.taken)) == wanted


def test_an_outage_is_said_once_when_it_begins_and_once_when_it_ends(tmp_path, caplog):
    write(tmp_path, 0, 3)
    broker, metrics = Broker(0, 0, 0, 0), Metrics()
    with caplog.at_level("INFO"):
        drain(tmp_path, broker, metrics)
    said = [record.msg["event"] for record in caplog.records]
    assert said == ["broker_away", "broker_back"]
    assert metrics.registry.get_sample_value("milepost_gateway_broker_away") == 0


def test_what_is_not_acknowledged_is_not_done(tmp_path):
    write(tmp_path, 0, 5)
    broker = Broker(*[3] * 10_000)
    forwarder = Forwarder(tmp_path, broker, Metrics())
    forwarder.start()
    for _ in range(5):
        assert broker.calls.acquire(timeout=10)
    forwarder.stop(10)
    assert read_done(tmp_path) is None and pending(tmp_path) > 0


def test_it_goes_on_where_it_was_done(tmp_path):
    first = write(tmp_path, 0, 40)
    before, after = Broker(), Broker()
    drain(tmp_path, before)
    more = write(tmp_path, 40, 40)
    drain(tmp_path, after)
    assert (before.taken, after.taken) == (first, more)


def test_a_torn_line_at_the_end_is_not_forwarded(tmp_path):
    wanted = write(tmp_path, 0, 3, segment_bytes=10**6)
    with next(tmp_path.glob("*.jsonl")).open("ab") as segment:
        segment.write(b'{"tracking_number": "t')
    more = write(tmp_path, 3, 3)
    broker = Broker()
    drain(tmp_path, broker)
    assert broker.taken == wanted + more


def test_a_spool_that_is_not_there_yet(tmp_path):
    broker = Broker()
    forwarder = Forwarder(tmp_path / "spool", broker, Metrics())
    forwarder.start()
    wanted = write(tmp_path / "spool", 0, 3)
    forwarder.wake()
    for _ in range(3):
        broker.calls.acquire(timeout=10)
        if len(broker.taken) == 3:
            break
    forwarder.stop(10)
    assert broker.taken == wanted


def test_a_disk_that_fails_stops_nothing_for_good(tmp_path, monkeypatch):
    wanted = write(tmp_path, 0, 100)
    note, read, count = forward.note_done, forward.SpoolTail.read, iter(range(10_000))

    def failing(work):
        def now_and_then(*given):
            if next(count) % 2:
                raise OSError(28, "No space left on device")
            return work(*given)

        return now_and_then

    monkeypatch.setattr(forward, "BATCH_BYTES", 500)
    monkeypatch.setattr(forward, "note_done", failing(note))
    monkeypatch.setattr(forward.SpoolTail, "read", failing(read))
    broker = Broker()
    forwarder = Forwarder(tmp_path, broker, Metrics())
    forwarder.start()
    while len(broker.taken) < len(wanted):
        assert broker.calls.acquire(timeout=10)
    forwarder.stop(10)
    assert broker.taken == wanted and forwarder.fault is None


def test_a_fault_of_its_own_ends_the_gateway(tmp_path, monkeypatch):
    write(tmp_path, 0, 3)
    ended = threading.Event()
    monkeypatch.setattr(forward.os, "kill", lambda pid, number: ended.set())
    broker = Broker()
    broker.publish = None
    forwarder = Forwarder(tmp_path, broker, Metrics())
    forwarder.start()
    assert ended.wait(10)
    forwarder.stop(10)
    assert isinstance(forwarder.fault, TypeError)


def test_a_line_of_somebody_elses_is_left_to_the_reader():
    assert message(b"no JSON").key == message(b"{}").key == ""


def test_a_parcel_has_one_lane():
    lanes = {lane(f"t{n}") for n in range(1000)}
    assert len(lanes) == LANES and lane("t1") == lane("t1")


def test_the_gateway_forwards_what_it_takes(start):
    broker = Broker()
    with start(broker=broker) as gateway:
        for step in range(3):
            assert gateway.send(delivery(step=step)).status_code == 200
        while len(broker.taken) < 6:
            assert broker.calls.acquire(timeout=10)
    assert {one.key for one in broker.taken} == {"LDT00000000"}
    assert [json.loads(one.line)["stage"] for one in broker.taken] == SAID


def test_what_is_done_is_deleted(start):
    with start("[spool]\nsegment = 1024\n") as gateway:
        for number in range(20):
            gateway.send(delivery(number))
        numbers = segments(gateway.folder)
        assert len(numbers) > 2
        note_done(gateway.folder, Place(numbers[-1]))
        gateway.life.room.measure()
        assert segments(gateway.folder) == numbers[-1:]
