"""One load: requests at a rate, to the clock and not to the answers, so that a slow gateway is seen to be slow."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from typing import IO, NamedTuple, cast

import msgspec

from schemas.clock import WALL
from schemas.fields import to_text
from services.load.client import Connection, Lost
from services.load.parcels import JOURNEY, Parcel, Request, parcel
from services.load.retries import Retries


class Sender(NamedTuple):
    """A sender as the generator plays it."""

    name: str
    path: str
    request: Callable[[Parcel, int], Request]
    retries: Retries


class Update(NamedTuple):
    """One step of one parcel, on its way."""

    sender: Sender
    parcel: Parcel
    step: int
    due: float
    """In seconds of the performance counter."""


class Plan(NamedTuple):
    """What to send.

    Attributes:
        rate: updates a second; 0 for as many as go.
        seconds: for how long new updates are sent.
        requests: how many updates at most; 0 for no such limit.
        connections: over how many connections; a parcel's updates all go over one.
        hasten: by what the senders' waits before they try again are divided.
    """

    rate: float
    seconds: float
    requests: int = 0
    connections: int = 32
    hasten: float = 1.0


class Tally:
    """How it went."""

    def __init__(self) -> None:
        """Start at zero."""
        self.sent = 0
        self.accepted = 0
        self.given_up = 0
        self.waiting = 0
        """Updates that their sender would have tried again later."""
        self.statuses: Counter[str] = Counter()
        self.seconds: Counter[int] = Counter()
        self.latencies: list[float] = []

    def report(self, took: float) -> dict[str, object]:
        """Give the figures: latencies in milliseconds from when an update was due to its 2xx.

        Args:
            took: seconds from the first update to the last 2xx.
        """
        ordered = sorted(self.latencies)
        return {
            "updates": self.sent,
            "accepted": self.accepted,
            "given_up": self.given_up,
            "waiting": self.waiting,
            "answers": dict(sorted(self.statuses.items())),
            "seconds": round(took, 2),
            "accepted_per_s": round(self.accepted / took, 1) if took else 0.0,
            "per_second": [self.seconds[second] for second in range(int(took) + 1)],
            **{f"p{share}_ms": _quantile(ordered, share / 100) for share in (50, 95, 99)},
            "max_ms": _quantile(ordered, 1.0),
        }


class Load:
    """A load on one gateway."""

    def __init__(
        self, host: str, port: int, senders: list[Sender], plan: Plan, ledger: IO[bytes] | None = None
    ) -> None:
        """Take where the gateway is, who sends, what, and where to note what was accepted."""
        self.host, self.port = host, port
        self.senders = senders
        self.plan = plan
        self.ledger = ledger
        self.tally = Tally()
        self._now = WALL.now()
        self._run = f"{self._now // 1000 % 36**4:X}"
        self._began = self._ended = 0.0
        self._waiting: set[asyncio.Task[None]] = set()

    async def run(self) -> dict[str, object]:
        """Send it all, with what comes to be tried again in that time; give the figures."""
        lanes = [asyncio.Queue[Update](2) for _ in range(self.plan.connections)]
        self._began = self._ended = time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            workers = [tasks.create_task(self._work(lane, tasks)) for lane in lanes]
            await self._feed(lanes)
            for lane in lanes:
                await lane.join()
            for task in (*workers, *self._waiting):
                task.cancel()
        self.tally.waiting = len(self._waiting)
        return self.tally.report(self._ended - self._began)

    def parcels(self) -> Iterator[tuple[int, Sender, Parcel, int]]:
        """Give lane, sender, parcel and step of one update after the other: of a few parcels at a time, in order."""
        lanes = self.plan.connections
        for first in count(0, lanes):
            for step in range(len(JOURNEY)):
                for lane in range(lanes):
                    sender = self.senders[(first + lane) % len(self.senders)]
                    yield lane, sender, parcel(first + lane, self._run, self._now), step

    async def _feed(self, lanes: list[asyncio.Queue[Update]]) -> None:
        for number, (lane, sender, one, step) in enumerate(self.parcels()):
            due = self._began + number / self.plan.rate if self.plan.rate else time.perf_counter()
            if due - self._began >= self.plan.seconds or number == (self.plan.requests or -1):
                return
            wait = due - time.perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
            await lanes[lane].put(Update(sender, one, step, due))

    async def _work(self, lane: asyncio.Queue[Update], tasks: asyncio.TaskGroup) -> None:
        connection = Connection(self.host, self.port)
        try:
            while True:
                update = await lane.get()
                try:
                    self.tally.sent += 1
                    if not self.plan.rate:
                        # Nothing was due: it is sent when there is somebody to send it.
                        update = update._replace(due=time.perf_counter())
                    wait = await self._attempt(connection, update, 1)
                    if wait is not None:
                        again = tasks.create_task(self._again(update, wait))
                        self._waiting.add(again)
                finally:
                    lane.task_done()
        finally:
            connection.close()

    async def _again(self, update: Update, wait: float | None) -> None:
        """Try again, over a connection of its own, as often as the sender does."""
        connection = Connection(self.host, self.port)
        attempts = 1
        try:
            while wait is not None:
                await asyncio.sleep(wait / self.plan.hasten)
                attempts += 1
                wait = await self._attempt(connection, update._replace(due=time.perf_counter()), attempts)
        finally:
            connection.close()
        self._waiting.discard(cast("asyncio.Task[None]", asyncio.current_task()))

    async def _attempt(self, connection: Connection, update: Update, attempts: int) -> float | None:
        """Send one request; give how long to wait before the next attempt, None if there is to be none."""
        sender, one, step, due = update
        request = sender.request(one, step)
        path = f"{sender.path}?{request.query}" if request.query else sender.path
        status: int | None = None
        try:
            status = await connection.post(path, request.headers, request.body, sender.retries.answer)
        except Lost:
            self.tally.statuses["none"] += 1
        else:
            self.tally.statuses[str(status)] += 1
        if status is not None and 200 <= status < 300:
            self._ended = time.perf_counter()
            self.tally.accepted += 1
            self.tally.latencies.append(self._ended - due)
            self.tally.seconds[int(self._ended - self._began)] += 1
            if self.ledger is not None:
                noted = {
                    "tracking_number": one.tracking_number,
                    "event_ts": to_text(one.at(step)),
                    "attempt": attempts,
                }
                self.ledger.write(msgspec.json.encode(noted) + b"\n")
            return None
        wait = sender.retries.again(status, attempts)
        if wait is None:
            self.tally.given_up += 1
        return wait


def _quantile(ordered: list[float], share: float) -> float:
    """Give a quantile in milliseconds: the smallest value that is not below that share of all; 0 without any."""
    if not ordered:
        return 0.0
    return round(1000 * ordered[max(0, -(-int(share * 1000 * len(ordered)) // 1000) - 1)], 2)
