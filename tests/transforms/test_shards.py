"""The shell around a machine: whatever happens to a worker, the machine goes on from what was persisted."""

import random

import pytest
from apache_beam.utils.timestamp import Timestamp
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.clock import Clock
from schemas.fields import MINUTE
from transforms import shards
from transforms.shards import SHARDS, ShardFn, shard_of


class Value:
    """A single value of state."""

    def __init__(self, content=None):
        self.content = content

    def read(self):
        return self.content

    def write(self, content):
        self.content = content


class Bag:
    """A bag of state: gives its contents in no order."""

    def __init__(self, content=()):
        self.content = list(content)

    def read(self):
        return random.sample(self.content, len(self.content))

    def add(self, entry):
        self.content.append(entry)

    def clear(self):
        self.content = []


class Timer:
    """The timer of a key: remembers when it was set to."""

    def __init__(self):
        self.set_to = []

    def set(self, when):
        self.set_to.append(when.micros)


class Key:
    """One key's state and timer, with a way back to before a bundle that failed."""

    def __init__(self):
        self.version, self.snapshot, self.log, self.wake = Value(), Value(), Bag(), Timer()

    def cells(self):
        return self.version, self.snapshot, self.log, self.wake

    def saved(self):
        return self.version.content, self.snapshot.content, list(self.log.content)

    def restore(self, saved):
        self.version.content, self.snapshot.content, self.log.content = saved[0], saved[1], list(saved[2])


class Diary:
    """A machine that remembers all that it was told, in order; order matters to it more than to any real one."""

    def __init__(self):
        self.told = []

    def take(self, packed):
        self.told.append(packed.decode())
        return list(self.told)

    def settle(self, until):
        self.told.append(f"until {until}")
        return list(self.told)

    def doubt(self, until):
        self.told.append(f"doubt {until}")

    def next_wake(self):
        times = [int(word[1:]) for word in self.told if word.startswith("@")]
        settled = [int(word[6:]) for word in self.told if word.startswith("until ")]
        return min((t for t in times if t > max(settled, default=0)), default=None)

    def dump(self):
        return "\n".join(self.told).encode()

    def load(self, dumped):
        self.told = dumped.decode().split("\n")


class DiaryFn(ShardFn):
    """The shell under test."""

    def start(self):
        return Diary()

    def feed(self, machine, packed):
        return machine.take(packed)

    def emit(self, shard, news):
        yield shard, news

    def say(self, key, word, shard=1):
        """Process one batch; give what went out."""
        ((_, news),) = self.process((shard, word.encode()), *key.cells())
        return news

    def fire(self, key, micros, shard=1):
        """Fire the timer."""
        ((_, news),) = self.on_wake(shard, Timestamp(micros=micros), *key.cells())
        return news


@pytest.fixture
def worker():
    """A worker."""
    return DiaryFn(grid=100)


def test_one_worker_goes_on_without_reading_its_log_again(worker):
    key = Key()
    assert worker.say(key, "a") == ["a"]
    key.log.read = None
    assert worker.say(key, "b") == ["a", "b"]


def test_another_worker_goes_on_from_what_was_persisted(worker):
    key = Key()
    worker.say(key, "a")
    worker.fire(key, 100)
    assert DiaryFn().say(key, "b") == ["a", "until 100", "b"]


def test_a_worker_that_was_set_up_again_has_forgotten_what_it_knew(worker):
    key = Key()
    worker.say(key, "a")
    worker.setup()
    assert worker.living == {}
    assert worker.say(key, "b") == ["a", "b"]


LIVE = Clock(until=500)
"""A live run's clock, by which it is 500."""


@pytest.fixture
def another_process(monkeypatch):
    """Let what comes be in a process that has written nothing yet."""
    return lambda: monkeypatch.setattr(shards, "_WRITTEN", {})


def test_a_live_machine_in_another_process_doubts_what_its_former_life_told_and_remembers_that(another_process):
    key = Key()
    first = DiaryFn(clock=LIVE)
    assert first.say(key, "a") == ["a"], "what has no state yet has had no other life"
    assert first.say(key, "b") == ["a", "b"]
    another_process()
    second = DiaryFn(clock=LIVE)
    assert second.say(key, "c") == ["a", "b", "doubt 500", "c"]
    assert second.say(key, "d") == ["a", "b", "doubt 500", "c", "d"]
    another_process()
    assert DiaryFn(clock=LIVE).fire(key, 100) == ["a", "b", "doubt 500", "c", "d", "doubt 500", "until 100"]


def test_live_shells_that_take_turns_in_one_process_do_not_doubt_one_another():
    key = Key()
    one, other = DiaryFn(clock=LIVE), DiaryFn(clock=LIVE)
    assert one.say(key, "a") == ["a"]
    assert other.say(key, "b") == ["a", "b"]
    assert one.fire(key, 100) == ["a", "b", "until 100"]


def test_a_live_machine_that_is_set_back_doubts_what_it_told_since_then():
    key = Key()
    worker = DiaryFn(clock=LIVE)
    worker.say(key, "a")
    saved = key.saved()
    worker.say(key, "lost")
    key.restore(saved)
    assert DiaryFn(clock=LIVE).say(key, "b") == ["a", "doubt 500", "b"]
    key.restore(saved)
    assert worker.say(key, "b") == ["a", "doubt 500", "b"]


def test_shards_do_not_hear_of_one_another(worker):
    one, other = Key(), Key()
    worker.say(one, "a", shard=1)
    assert worker.say(other, "b", shard=2) == ["b"]


def test_a_bundle_that_failed_after_the_machine_took_it_is_forgotten(worker):
    key = Key()
    worker.say(key, "a")
    saved = key.saved()
    assert worker.say(key, "lost") == ["a", "lost"]
    key.restore(saved)
    assert worker.say(key, "b") == ["a", "b"]


def test_a_settling_that_failed_is_forgotten(worker):
    key = Key()
    worker.say(key, "a")
    saved = key.saved()
    worker.fire(key, 100)
    key.restore(saved)
    assert worker.say(key, "b") == ["a", "b"]


def test_two_workers_from_the_same_base_are_not_taken_for_one_another(worker):
    key, zombie = Key(), DiaryFn()
    worker.say(key, "a")
    saved = key.saved()
    zombie.say(key, "b of a worker given up for dead")
    key.restore(saved)
    worker.say(key, "c")
    assert key.version.content[:8] == zombie.living[1].version[:8], "as many changes"
    assert zombie.say(key, "d") == ["a", "c", "d"]


def test_the_log_is_replayed_in_order(worker):
    key = Key()
    for number in range(300):
        worker.say(key, str(number))
    assert DiaryFn().say(key, "end") == [*map(str, range(300)), "end"]


def test_a_snapshot_takes_the_logs_place_before_it_grows_without_bound(worker, monkeypatch):
    monkeypatch.setattr(shards, "_SMALL", 64)
    key, sizes = Key(), []
    for number in range(400):
        worker.say(key, f"word {number}")
        sizes.append(sum(map(len, key.log.content)))
    assert key.snapshot.content is not None
    assert max(sizes) < 4 * len(key.snapshot.content)
    assert DiaryFn().say(key, "end")[:2] == ["word 0", "word 1"]


def test_snapshots_grow_rarer_as_they_grow(worker, monkeypatch):
    monkeypatch.setattr(shards, "_SMALL", 64)
    key, written = Key(), []
    key.snapshot.write = lambda content: (written.append(len(content)), setattr(key.snapshot, "content", content))
    for number in range(1000):
        worker.say(key, f"{random.Random(number).random()}")
    assert sum(written) < 4 * 20 * 1000, "all snapshots together are of the order of what was said"


@given(st.lists(st.sampled_from(["say", "fire", "fail", "move", "zombie"]), max_size=30), st.integers(0, 60))
@settings(max_examples=80)
def test_whatever_happens_to_workers_the_machine_heard_what_was_persisted(steps, small):
    """What is told at the end is all that was said in bundles that did not fail, in order."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "_SMALL", small)
        key, workers, true = Key(), [DiaryFn(grid=10), DiaryFn(grid=10)], []
        for number, step in enumerate(steps):
            if step == "say":
                true.append(f"w{number}")
                assert workers[0].say(key, f"w{number}") == true
            elif step == "fire":
                true.append(f"until {number}")
                assert workers[0].fire(key, number) == true
            elif step == "move":
                workers[0] = DiaryFn(grid=10)
            else:
                saved = key.saved()
                workers[step == "zombie"].say(key, "lost")
                key.restore(saved)
        assert workers[1].say(key, "end") == [*true, "end"]


@pytest.mark.parametrize(("due", "armed"), [(1, 100), (99, 100), (100, 100), (101, 200)])
def test_the_timer_lies_on_the_grid_at_or_after_the_due_time(worker, due, armed):
    key = Key()
    worker.say(key, f"@{due}")
    assert key.wake.set_to == [armed]


def test_the_timer_is_set_again_for_an_earlier_time_only(worker):
    key = Key()
    for word in ("@500", "@800", "@150", "@160", "nothing due"):
        worker.say(key, word)
    assert key.wake.set_to == [500, 200]


def test_the_timer_is_armed_again_when_it_fires(worker):
    key = Key()
    worker.say(key, "@150")
    worker.say(key, "@900")
    worker.fire(key, 200)
    assert key.wake.set_to == [200, 900]
    worker.fire(key, 900)
    assert key.wake.set_to == [200, 900]


def test_another_worker_arms_the_timer_for_what_it_found(worker):
    key = Key()
    worker.say(key, "@150")
    DiaryFn(grid=100).say(key, "b")
    assert key.wake.set_to == [200, 200]


def test_a_due_time_beyond_all_times_is_no_error(worker):
    key = Key()
    worker.say(key, f"@{1 << 62}")
    assert key.wake.set_to[0] < 1 << 63


def test_shards_are_few_and_the_same_everywhere():
    assert {shard_of(f"t{n}") for n in range(1000)} == set(range(SHARDS))
    assert shard_of("t1") == 7
    assert shard_of("ü\x00") in range(SHARDS)
    assert DiaryFn().grid < MINUTE
