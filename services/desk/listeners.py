"""Listeners: pages that are live. One poller asks the source what has changed; each page is told that, and reads anew.

A page says what it has read by a mark. It is told whenever the source's mark is another one, so nothing is missed
between the page and its stream; and since it is told no more than that, one place in its queue is enough.
"""

import asyncio
import hashlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Collection, Hashable
from contextlib import suppress
from typing import NamedTuple

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from services.desk.source import Key, Source, SourceError

Topic = tuple[Key, ...]
"""The parcels that a page shows."""

QUEUE: Topic = ()
"""The queue, which shows none of its own."""

_HEADERS = {"x-accel-buffering": "no"}


class Timing(NamedTuple):
    """Seconds between two questions to the source, between two signs of life, and that a stream lasts."""

    poll: float
    heartbeat: float
    longest: float


class Listener:
    """One page that is live."""

    def __init__(self, topic: Topic, mark: str, address: str) -> None:
        """Take what it shows, the mark of what it has read, and the client's address."""
        self.topic = topic
        self.mark = mark
        self.address = address
        self.messages: asyncio.Queue[str | None] = asyncio.Queue(maxsize=1)

    def tell(self, message: str | None) -> None:
        """Leave a message; an older one that was not fetched yet has nothing more to say."""
        with suppress(asyncio.QueueEmpty):
            self.messages.get_nowait()
        self.messages.put_nowait(message)


class Listeners:
    """All pages that are live, and the poller. Used by the event loop alone."""

    def __init__(self, source: Source, timing: Timing, most: int, most_of_one: int, failed: Callable[[], None]) -> None:
        """Take the source, the timing, how many there may be in all and of one address, and what counts failures."""
        self.source = source
        self.timing = timing
        self.most, self.most_of_one = most, most_of_one
        self.closed = False
        self._failed = failed
        self._listening: set[Listener] = set()
        self._addresses: Counter[str] = Counter()
        self._away = False

    def __len__(self) -> int:
        """Give how many there are."""
        return len(self._listening)

    def join(self, topic: Topic, mark: str, address: str) -> Listener | None:
        """Add a page; None if there is no room for it."""
        if self.closed or len(self) >= self.most or self._addresses[address] >= self.most_of_one:
            return None
        listener = Listener(topic, mark, address)
        self._listening.add(listener)
        self._addresses[address] += 1
        return listener

    def leave(self, listener: Listener) -> None:
        """Take a page away."""
        self._listening.discard(listener)
        self._addresses[listener.address] -= 1
        self._addresses += Counter()

    def close(self) -> None:
        """End all streams; browsers come back by themselves when there is somebody to come back to."""
        self.closed = True
        for listener in self._listening:
            listener.tell(None)

    async def poll(self) -> None:
        """Ask the source again and again, as long as anybody listens."""
        while True:
            await asyncio.sleep(self.timing.poll)
            topics = {listener.topic for listener in self._listening}
            if not topics:
                continue
            try:
                marks = await asyncio.to_thread(marks_of, self.source, topics)
            except SourceError:
                self._failed()
                self._tell_all("event: away\ndata: \n\n", unless=self._away)
                self._away = True
                continue
            self._tell_all("event: back\ndata: \n\n", unless=not self._away)
            self._away = False
            for listener in self._listening:
                mark = marks.get(listener.topic, listener.mark)
                if mark != listener.mark:
                    listener.mark = mark
                    listener.tell(f"id: {mark}\nevent: changed\ndata: {mark}\n\n")

    def stream(self, listener: Listener) -> StreamingResponse:
        """Give the stream of a page."""
        return _Stream(self, listener)

    def _tell_all(self, message: str, *, unless: bool) -> None:
        for listener in () if unless else self._listening:
            listener.tell(message)


class _Stream(StreamingResponse):
    """Server-sent events; however it ends, its listener leaves."""

    def __init__(self, listeners: Listeners, listener: Listener) -> None:
        self.listeners, self.listener = listeners, listener
        super().__init__(self._events(), media_type="text/event-stream", headers=_HEADERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self.listeners.leave(self.listener)

    async def _events(self) -> AsyncIterator[str]:
        timing = self.listeners.timing
        until = time.monotonic() + timing.longest
        yield "retry: 3000\n\n"
        while time.monotonic() < until:
            try:
                message = await asyncio.wait_for(self.listener.messages.get(), timing.heartbeat)
            except TimeoutError:
                yield ": still here\n\n"
                continue
            if message is None:
                return
            yield message


def marks_of(source: Source, topics: Collection[Topic]) -> dict[Topic, str]:
    """Give the marks of topics, with at most two questions however many there are.

    Raises:
        SourceError: the source cannot be asked.
    """
    keys = {key for topic in topics for key in topic}
    parcels = source.parcel_marks(sorted(keys)) if keys else {}
    marks = {topic: _short([parcels.get(key) for key in topic]) for topic in topics if topic}
    if QUEUE in topics:
        marks[QUEUE] = _short([source.queue_mark()])
    return marks


def _short(marks: list[Hashable]) -> str:
    return hashlib.blake2b(repr(marks).encode(), digest_size=8).hexdigest()
