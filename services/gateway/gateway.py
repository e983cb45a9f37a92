"""The gateway itself, without HTTP: a delivery comes in, and is durable when it is answered.

In this order, so that each step is paid only by who passed the one before: is there room, who sent it, how fast, did it
come before, how deep is it, what does it say, and then the spool. Nothing is counted against a sender's rate before it
is proved: else a stranger could use it up.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from msgspec import Struct

from pipelines.errors import UsageError
from schemas.clock import WALL, Clock
from schemas.events import WireEvent
from schemas.fields import SECOND, Micros
from schemas.policy import Policy
from schemas.profiles import read_profiles
from services.gateway.bodies import check_depth, decompress
from services.gateway.commit import GroupCommit
from services.gateway.config import GatewayConfig, Quota, SenderConfig, read_secrets
from services.gateway.keys import HEADER, Keys
from services.gateway.metrics import Metrics
from services.gateway.problems import Problem
from services.gateway.quarantine import Quarantine
from services.gateway.repeats import Repeats, digest
from services.gateway.room import Room
from services.gateway.senders.registry import make
from services.gateway.senders.sender import Delivery, Forged, Malformed, Sender, Unproved
from services.gateway.shop import read_events, to_lines
from services.gateway.talk import SELDOM, Seldom, say
from services.rates import Bucket

EVENTS = "events"
"""The name of the shop's door, where senders are counted; no sender may have it."""
FETCHING = frozenset({"shipengine"})
"""Kinds whose keys are fetched: to prove a delivery may mean to wait for the network."""
RETRY = 10.0
"""Seconds after which to come again when nothing can be taken now."""
CLEANED = 3600.0
"""Seconds between two cleanings of the quarantine."""


class Answer(Struct, frozen=True):
    """What a sender is told of a delivery that is durable."""

    events: int
    """How many events it told."""
    repeated: bool = False
    """Whether it came before, and nothing was done."""


class Door(NamedTuple):
    """One sender as the gateway knows it."""

    sender: Sender
    bucket: Bucket
    fetching: bool


class Gateway:
    """All doors of one configuration, before one spool. Its methods are for one event loop."""

    def __init__(
        self,
        config: GatewayConfig,
        commit: GroupCommit,
        room: Room,
        quarantine: Quarantine,
        metrics: Metrics,
        clock: Clock = WALL,
    ) -> None:
        """Take what it writes to and the clock, and read the secrets.

        Raises:
            UsageError: a secret is not set, or a sender cannot be what the file says.
        """
        self.config = config
        self.commit = commit
        self.room = room
        self.quarantine = quarantine
        self.metrics = metrics
        self.clock = clock
        self.tolerance = Policy().intake.future_tolerance
        self.repeats = Repeats(config.repeats.window / SECOND, config.repeats.count)
        self.doors = {name: _door(name, one) for name, one in config.senders().items()}
        self.keys = Keys(read_secrets(config.events.keys)) if config.events else None
        self.shop = _bucket(config.events) if config.events else None
        # Read once by whatever asks for it first: the first requests must not wait for that.
        read_profiles()
        self._in_hand = 0
        self.seldom = Seldom(SELDOM)
        self._failing = False

    @contextmanager
    def in_hand(self) -> Iterator[None]:
        """Hold a request in hand, if one can be taken at all; asked before any of its body is read.

        Raises:
            Problem: busy, full.
        """
        self.check_room()
        if self._in_hand >= self.config.limits.requests:
            raise Problem("busy", retry_after=1)
        self._in_hand += 1
        try:
            yield
        finally:
            self._in_hand -= 1

    def check_room(self) -> None:
        """See whether anything can be kept.

        Raises:
            Problem: full.
        """
        if self.room.full or self._failing:
            raise Problem("full", retry_after=RETRY)

    def door(self, name: str) -> Door:
        """Give a sender by its name.

        Raises:
            Problem: unknown_sender.
        """
        if name not in self.doors:
            raise Problem("unknown_sender")
        return self.doors[name]

    async def webhook(self, name: str, headers: Mapping[str, str], query: Mapping[str, str], body: bytes) -> Answer:
        """Take a sender's delivery.

        Args:
            name: of the sender.
            headers: names in lower case.
            query: of the address.
            body: as it came over the line.

        Raises:
            Problem: it is not taken.
        """
        door = self.door(name)
        received_ts = self.clock.now()
        body = decompress(body, headers.get("content-encoding", ""), self.config.limits.decompressed)
        delivery = Delivery(headers, query, body, received_ts)
        try:
            if door.fetching:
                await asyncio.to_thread(door.sender.verify, delivery)
            else:
                door.sender.verify(delivery)
        except Unproved as fault:
            self.seldom.say("keys_away", sender=name, why=str(fault))
            raise Problem("keys_away", retry_after=RETRY) from fault
        except Forged as fault:
            self.seldom.say("unproved", sender=name, why=str(fault))
            raise Problem("unproved") from fault
        _pay(door.bucket)
        identity = digest(name, body)
        if self.repeats.seen(identity, time.monotonic()):
            self.metrics.repeats.labels(name).inc()
            return Answer(0, repeated=True)
        try:
            check_depth(body, self.config.limits.depth)
            parsed = door.sender.parse(body, received_ts)
        except Problem as fault:
            await self._keep(name, body, received_ts, fault.name)
            raise
        except Malformed as fault:
            await self._keep(name, body, received_ts, str(fault))
            raise Problem("malformed", str(fault)) from fault
        except Exception as fault:
            # A fault of ours, not of the sender: what it sent must not be lost over it.
            await self._keep(name, body, received_ts, f"the adapter failed ({type(fault).__name__})")
            raise
        if len(parsed.events) > self.config.limits.events:
            await self._keep(name, body, received_ts, "too many events")
            raise Problem("too_many_events", f"At most {self.config.limits.events} events are taken at a time.")
        self.metrics.doubtful.labels(name).inc(parsed.doubtful.total())
        self.metrics.successors.labels(name).inc(len(parsed.successors))
        if parsed.unknown:
            for code, times in parsed.unknown.items():
                self.metrics.count_unknown(name, code, times)
            await self._keep(name, body, received_ts, f"unknown codes: {', '.join(sorted(parsed.unknown)[:20])}")
        return await self._store(name, parsed.events, received_ts, identity)

    async def events(self, headers: Mapping[str, str], body: bytes) -> Answer:
        """Take events of the shop's own systems.

        Raises:
            Problem: they are not taken.
        """
        if self.shop is None:
            raise Problem("not_found")
        _pay(self.shop)
        received_ts = self.clock.now()
        limits = self.config.limits
        body = decompress(body, headers.get("content-encoding", ""), limits.decompressed)
        identity = digest(EVENTS, body)
        if self.repeats.seen(identity, time.monotonic()):
            self.metrics.repeats.labels(EVENTS).inc()
            return Answer(0, repeated=True)
        check_depth(body, limits.depth)
        latest = received_ts + self.tolerance
        events, unknown = read_events(body, headers.get("content-type", ""), limits, latest)
        self.metrics.fields.inc(unknown)
        return await self._store(EVENTS, events, received_ts, identity)

    def prove_shop(self, headers: Mapping[str, str]) -> None:
        """Make sure that it is one of the shop's systems that asks: done before its body is read.

        Raises:
            Problem: not_found, unproved.
        """
        if self.keys is None:
            raise Problem("not_found")
        if not self.keys.fit(headers.get(HEADER, "")):
            self.seldom.say("unproved", sender=EVENTS, why="the API key is missing or wrong")
            raise Problem("unproved")

    async def keep_house(self) -> None:
        """Look after the spool and the quarantine, second by second, until cancelled."""
        cleaned, full = float("-inf"), False
        while True:
            try:
                if time.monotonic() - cleaned > CLEANED:
                    cleaned = time.monotonic()
                    await asyncio.to_thread(self.quarantine.clean, self.clock.now())
                await asyncio.to_thread(self.room.measure)
            except OSError as fault:
                self.seldom.say("upkeep_failed", why=fault.strerror or type(fault).__name__)
            else:
                if self.room.full != full:
                    full = not full
                    say("spool_full" if full else "spool_has_room", bytes=self.room.pending)
                self.metrics.spool.set(self.room.pending)
            self.recover()
            await asyncio.sleep(1)

    def recover(self) -> None:
        """Let the spool be tried again: whether the disk takes anything again shows only so."""
        self._failing = False

    async def _store(self, name: str, events: list[WireEvent], received_ts: Micros, identity: bytes) -> Answer:
        if events:
            try:
                await self.commit.append(to_lines(events, received_ts))
            except OSError as fault:
                if not self._failing:
                    say("spool_failed", why=fault.strerror or type(fault).__name__)
                self._failing = True
                raise Problem("full", retry_after=RETRY) from fault
            self.metrics.events.labels(name).inc(len(events))
        self.repeats.add(identity, time.monotonic())
        return Answer(len(events))

    async def _keep(self, name: str, body: bytes, received_ts: Micros, reason: str) -> None:
        try:
            kept = await asyncio.to_thread(self.quarantine.keep, name, body, received_ts, reason)
        except OSError as fault:
            self.seldom.say("quarantine_failed", sender=name, why=fault.strerror or type(fault).__name__)
            kept = False
        self.metrics.quarantine.labels(name, "kept" if kept else "dropped").inc()
        self.seldom.say("quarantine", sender=name, why=reason, kept=kept)


def make_sender(name: str, config: SenderConfig) -> Sender:
    """Make a sender.

    Raises:
        UsageError: a secret is not set, or the sender cannot be what the file says.
    """
    if name == EVENTS:
        raise UsageError(f"A sender cannot be named {EVENTS}.")
    try:
        return make(config.kind, name, read_secrets(config.secrets), config.options)
    except ValueError as fault:
        raise UsageError(f"The sender {name}: {fault}") from fault


def _door(name: str, config: SenderConfig) -> Door:
    return Door(make_sender(name, config), _bucket(config), config.kind in FETCHING)


def _bucket(quota: Quota) -> Bucket:
    return Bucket(quota.rate, max(1.0, quota.burst), time.monotonic())


def _pay(bucket: Bucket) -> None:
    wait = bucket.take(time.monotonic())
    if wait:
        raise Problem("too_fast", retry_after=wait)
