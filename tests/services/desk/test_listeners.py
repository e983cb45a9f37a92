"""Pages that are live: who is told what, how many there may be, and what is never missed."""

import asyncio

import pytest
from starlette.requests import ClientDisconnect

from services.desk.database import Database
from services.desk.listeners import QUEUE, Listeners, Timing, marks_of
from services.desk.source import SourceError
from services.desk.steps import read_step
from tests.services.desk.conftest import fill

QUICK = Timing(poll=0.01, heartbeat=0.05, longest=30)
PARCEL = (("o0", "t0"),)


class Counting:
    """A source of marks that a test sets; counts how often it is asked."""

    def __init__(self):
        """Begin with nothing."""
        self.queue, self.parcels, self.away, self.asked = 0, {}, False, 0

    def queue_mark(self):
        """Give the queue's."""
        self.asked += 1
        if self.away:
            raise SourceError("away")
        return self.queue

    def parcel_marks(self, keys):
        """Give those of parcels."""
        self.asked += 1
        return {key: self.parcels.get(key, 0) for key in keys}


def run(work, source=None, timing=QUICK, most=10, most_of_one=10):
    """Run some work beside a poller."""

    async def all_of_it():
        failures = []
        listeners = Listeners(source or Counting(), timing, most, most_of_one, lambda: failures.append(1))
        poller = asyncio.create_task(listeners.poll())
        try:
            return await asyncio.wait_for(work(listeners), 30), failures
        finally:
            poller.cancel()

    return asyncio.run(all_of_it())


def mark(source, topic=QUEUE):
    """Give the mark that a page has read."""
    return marks_of(source, [topic])[topic]


async def message(listener):
    """Wait for what a page is told."""
    return await listener.messages.get()


def test_a_page_is_told_what_changed_between_its_reading_and_its_stream():
    source = Counting()
    seen = mark(source)
    source.queue = 1

    async def work(listeners):
        return await message(listeners.join(QUEUE, seen, "a"))

    told, _ = run(work, source)
    assert told == f"id: {mark(source)}\nevent: changed\ndata: {mark(source)}\n\n"


def test_each_page_is_told_of_what_it_shows_alone():
    source = Counting()

    async def work(listeners):
        queue = listeners.join(QUEUE, mark(source), "a")
        here = listeners.join(PARCEL, mark(source, PARCEL), "a")
        there = listeners.join((("o1", "t1"),), mark(source, (("o1", "t1"),)), "a")
        source.parcels["o0", "t0"] = 1
        await message(here)
        source.queue = 1
        await message(queue)
        return queue.messages.empty(), here.messages.empty(), there.messages.empty()

    assert run(work, source)[0] == (True, True, True)


def test_however_many_pages_are_live_the_source_is_asked_twice_a_round():
    source = Counting()
    topics = [QUEUE, PARCEL, (("o1", "t1"), ("o2", "t2"))]
    marks_of(source, topics)
    assert source.asked == 2


def test_who_does_not_listen_costs_one_place_and_hears_the_last_word():
    source = Counting()

    async def work(listeners):
        slow, quick = (listeners.join(QUEUE, mark(source), "a") for _ in range(2))
        for count in range(1, 6):
            source.queue = count
            await message(quick)
        return slow.messages.qsize(), await message(slow)

    (size, last), _ = run(work, source)
    assert size == 1 and mark(source) in last


def test_a_source_that_is_away_is_told_once_and_its_return_too():
    source = Counting()

    async def work(listeners):
        listener = listeners.join(QUEUE, mark(source), "a")
        source.away = True
        first = await message(listener)
        begun = source.asked
        while source.asked < begun + 3:
            await asyncio.sleep(0)
        quiet = listener.messages.empty()
        source.away = False
        return first, quiet, await message(listener)

    (first, quiet, last), failures = run(work, source)
    assert "event: away" in first and quiet and "event: back" in last
    assert len(failures) >= 3


def test_there_is_room_for_so_many_and_what_leaves_makes_room():
    async def work(listeners):
        first = listeners.join(QUEUE, "", "a")
        second = listeners.join(QUEUE, "", "a")
        assert first and second
        assert listeners.join(QUEUE, "", "a") is None, "of one address"
        assert listeners.join(QUEUE, "", "b")
        assert listeners.join(QUEUE, "", "c") is None, "of all"
        listeners.leave(first)
        assert listeners.join(QUEUE, "", "a")
        assert len(listeners) == 3

    run(work, most=3, most_of_one=2)


def test_a_stream_shows_that_it_lives_and_ends_when_the_desk_does():
    async def work(listeners):
        stream = listeners.stream(listeners.join(QUEUE, mark(listeners.source), "a"))
        sent = []

        async def receive():
            await asyncio.Event().wait()

        async def send(said):
            sent.append(said)
            if b"still here" in said.get("body", b""):
                listeners.close()

        await stream({"type": "http", "asgi": {"spec_version": "2.4"}}, receive, send)
        return sent, len(listeners), listeners.join(QUEUE, "", "a")

    (sent, left, late), _ = run(work)
    assert sent[1]["body"] == b"retry: 3000\n\n" and sent[-1]["more_body"] is False
    assert left == 0 and late is None


def test_a_client_that_goes_away_leaves():
    async def work(listeners):
        stream = listeners.stream(listeners.join(QUEUE, "", "a"))

        async def receive():
            return {"type": "http.disconnect"}

        async def send(said):
            raise OSError("gone")

        with pytest.raises(ClientDisconnect):
            await stream({"type": "http", "asgi": {"spec_version": "2.4"}}, receive, send)
        return len(listeners)

    assert run(work)[0] == 0


def test_a_step_reaches_other_pages(database):
    (alert,) = fill(database, 1)
    source = Database(database)

    async def work(listeners):
        listener = listeners.join(QUEUE, await asyncio.to_thread(mark, source), "a")
        await asyncio.to_thread(source.act, read_step("take", [alert.alert_id], "Anna", "", ""))
        return await message(listener)

    assert "event: changed" in run(work, source)[0]
