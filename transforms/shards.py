"""Keep plain objects alive behind Beam state: one per shard of parcels, fed in batches, woken by one timer.

Beam state costs by the access, not by the byte, so a shard's object lives in the worker's memory; state holds what is
needed to build it again elsewhere: a version, a snapshot, and a log of the inputs since. A worker whose object has the
persisted version goes on with it; any other builds it anew. The object must be deterministic.
"""

import os
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any, Generic, Optional, Protocol, TypeVar

import apache_beam as beam
import pyarrow as pa
from apache_beam.coders import BytesCoder
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import BagStateSpec, ReadModifyWriteStateSpec, TimerSpec, on_timer
from apache_beam.utils.timestamp import MAX_TIMESTAMP, Timestamp

from schemas.clock import Clock
from schemas.fields import DAY, SECOND, Micros

SHARDS = 8
"""Distinct state keys. Few, since each costs; results do not depend on the number."""

TAKEN, SETTLED, DOUBTED = b"t", b"s", b"d"
_SMALL = 1 << 20
_WRITTEN: dict[tuple[type, int], bytes] = {}
"""The newest version that this process wrote of each shard: an engine may let several shells of a step take turns, and
what another one wrote here is no life that was lost."""

News = TypeVar("News")
Said = TypeVar("Said", covariant=True)
Out = TypeVar("Out")


def shard_of(tracking_number: str) -> int:
    """Give the shard of a parcel. By waybill, so that an event without its order finds it in the same place."""
    return zlib.crc32(tracking_number.encode()) % SHARDS


class Machine(Protocol[Said]):
    """What a shard keeps alive."""

    def settle(self, until: Micros) -> Said:
        """Do what is due by then."""

    def doubt(self, until: Micros) -> object:
        """Take that a life that went on from here is lost, which may have told what was due by then."""

    def next_wake(self) -> Micros | None:
        """Give the next time at which something is due."""

    def dump(self) -> bytes:
        """Give all that is remembered."""

    def load(self, dumped: bytes) -> None:
        """Remember what was dumped."""


class Living(Generic[News]):
    """A machine in memory: which persisted version it stands at, and how large snapshot and log have become."""

    def __init__(self, machine: Machine[News]) -> None:
        """Start with nothing persisted."""
        self.machine = machine
        self.version = b""
        self.snapshot_size = 0
        self.log_size = 0
        self.armed: Micros | None = None


class ShardFn(beam.DoFn, ABC, Generic[News, Out]):
    """The stateful shell around a machine.

    Attributes:
        VERSION: a counter of the changes of this key's state, and a random token: two workers that each changed it
            from the same base must not take their objects for the same.
        SNAPSHOT: the machine as it was when the log was last emptied.
        LOG: inputs and settlings since then, each with its version, to be replayed in order.
        WAKE: the one event-time timer of a shard, on a grid: when it fires, the watermark has passed its time.
    """

    VERSION = ReadModifyWriteStateSpec("version", BytesCoder())
    SNAPSHOT = ReadModifyWriteStateSpec("snapshot", BytesCoder())
    LOG = BagStateSpec("log", BytesCoder())
    WAKE = TimerSpec("wake", TimeDomain.WATERMARK)

    def __init__(self, grid: int = 30 * SECOND, clock: Optional[Clock] = None) -> None:
        """Take the grid of the timer in microseconds, on which no result depends, and a live run's clock.

        Where there is a clock, what a machine told may be in the world before its state is kept.
        """
        self.grid = grid
        self.clock = clock
        self.living: dict[int, Living[News]] = {}

    @abstractmethod
    def start(self) -> Machine[News]:
        """Give a machine that remembers nothing."""

    @abstractmethod
    def feed(self, machine: Machine[News], packed: bytes) -> News:
        """Let the machine take one packed batch."""

    @abstractmethod
    def emit(self, shard: int, news: News) -> Iterable[Out]:
        """Give what goes out of a step's news."""

    def setup(self) -> None:
        """Forget what another life of this worker knew."""
        self.living = {}

    def process(
        self,
        element: tuple[int, bytes],
        version: Any = beam.DoFn.StateParam(VERSION),  # noqa: ANN401, B008
        snapshot: Any = beam.DoFn.StateParam(SNAPSHOT),  # noqa: ANN401, B008
        log: Any = beam.DoFn.StateParam(LOG),  # noqa: ANN401, B008
        wake: Any = beam.DoFn.TimerParam(WAKE),  # noqa: ANN401, B008
    ) -> Iterator[Out]:
        """Let the shard's machine take a batch."""
        shard, packed = element
        living = self._living(shard, version, snapshot, log)
        news = self.feed(living.machine, packed)
        self._persist(shard, living, TAKEN + packed, version, snapshot, log)
        self._arm(living, wake)
        yield from self.emit(shard, news)

    @on_timer(WAKE)
    def on_wake(
        self,
        shard: int = beam.DoFn.KeyParam,
        fired: Timestamp = beam.DoFn.TimestampParam,
        version: Any = beam.DoFn.StateParam(VERSION),  # noqa: ANN401, B008
        snapshot: Any = beam.DoFn.StateParam(SNAPSHOT),  # noqa: ANN401, B008
        log: Any = beam.DoFn.StateParam(LOG),  # noqa: ANN401, B008
        wake: Any = beam.DoFn.TimerParam(WAKE),  # noqa: ANN401, B008
    ) -> Iterator[Out]:
        """Settle what is due by the time of the timer: the watermark has passed it."""
        living = self._living(shard, version, snapshot, log)
        living.armed = None
        until: Micros = fired.micros
        news = living.machine.settle(until)
        self._persist(shard, living, SETTLED + until.to_bytes(8, "big", signed=True), version, snapshot, log)
        self._arm(living, wake)
        yield from self.emit(shard, news)

    def _living(self, shard: int, version: Any, snapshot: Any, log: Any) -> Living[News]:  # noqa: ANN401
        """Give the shard's machine at the persisted version, built anew if this worker's is not at it."""
        persisted = version.read() or b""
        living = self.living.get(shard)
        if living is None or living.version != persisted:
            living = self.living[shard] = Living(self.start())
            base: Optional[bytes] = snapshot.read()
            if base:
                living.machine.load(_unpack(base))
                living.snapshot_size = len(base)
            for entry in sorted(log.read()):
                self._replay(living, entry[8:])
            living.version = persisted
            if persisted and self.clock is not None and _WRITTEN.get((type(self), shard)) != persisted:
                # Its former life, if there was one, is lost from here on; what that told is not.
                now = self.clock.now()
                living.machine.doubt(now)
                self._persist(shard, living, DOUBTED + now.to_bytes(8, "big", signed=True), version, snapshot, log)
        return living

    def _replay(self, living: Living[News], entry: bytes) -> None:
        if entry[:1] == TAKEN:
            self.feed(living.machine, entry[1:])
        else:
            step = living.machine.settle if entry[:1] == SETTLED else living.machine.doubt
            step(int.from_bytes(entry[1:], "big", signed=True))
        living.log_size += len(entry)

    def _persist(
        self,
        shard: int,
        living: Living[News],
        entry: bytes,
        version: Any,  # noqa: ANN401
        snapshot: Any,  # noqa: ANN401
        log: Any,  # noqa: ANN401
    ) -> None:
        """Log one input; take a snapshot instead once the log has outgrown the last one, so that cost stays linear."""
        count = (int.from_bytes(living.version[:8], "big") + 1).to_bytes(8, "big")
        living.version = _WRITTEN[type(self), shard] = count + os.urandom(8)
        version.write(living.version)
        living.log_size += len(entry)
        if living.log_size > max(2 * living.snapshot_size, _SMALL):
            dumped = _pack(living.machine.dump())
            snapshot.write(dumped)
            log.clear()
            living.snapshot_size, living.log_size = len(dumped), 0
        else:
            log.add(count + entry)

    def _arm(self, living: Living[News], wake: Any) -> None:  # noqa: ANN401
        """Set the timer to the next due time, rounded up to the grid."""
        due = living.machine.next_wake()
        if due is None:
            return
        due = min(-(-due // self.grid) * self.grid, MAX_TIMESTAMP.micros - DAY)
        # A later timer is left alone: an earlier wake-up than needed costs little, a re-set of it at each batch more.
        if living.armed is None or due < living.armed:
            wake.set(Timestamp(micros=due))
            living.armed = due


def _pack(plain: bytes) -> bytes:
    return len(plain).to_bytes(8, "big") + bytes(pa.compress(plain, "lz4", asbytes=True))


def _unpack(packed: bytes) -> bytes:
    return bytes(pa.decompress(packed[8:], int.from_bytes(packed[:8], "big"), "lz4", asbytes=True))
