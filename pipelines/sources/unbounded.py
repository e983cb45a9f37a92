"""What all live sources have in common: batches of lines, watermarks, ticks and marks.

A live source is an UnboundedSource whose readers hand over blocks of lines: a block of thousands costs the engine as
much as a single line. What is read is counted by a mark, the reader's position in each partition, which the engine
keeps in its checkpoints: it alone decides from where a job goes on. That the engine has put a mark away for good is
told to the source afterwards, which then may forget what lies before it.
"""

import logging
import time
from abc import abstractmethod
from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

import apache_beam as beam
from apache_beam.io.unbounded_source import CheckpointMark, UnboundedReader, UnboundedSource
from apache_beam.utils.timestamp import MAX_TIMESTAMP, MIN_TIMESTAMP, Timestamp
from msgspec import Struct

from pipelines.progress import READ
from pipelines.sources.known import Recall
from pipelines.sources.reporting import REPORT
from pipelines.sources.watermarks import QUIET, Watermarks
from schemas.clock import WALL, Clock
from schemas.coders import StructCoder
from schemas.fields import Micros
from schemas.lines import LineBlock
from schemas.policy import Intake

LOG = logging.getLogger(__name__)

BLOCK_BYTES = 1024 * 1024
BLOCK_LINES = 2_000
"""How much is handed over at once, about."""

GATHER = 0.1
"""Seconds between two blocks that are not full: so long lines gather, and so long a poll waits for the first."""
TICK = 1.0
"""Seconds between the empty blocks of a reader that has nothing to read."""
MEMORY = -1
"""The partition that what the lake knows is read as, before all others. Its position: a version, and blocks of it."""
DONE = -1
"""All of its blocks."""

Position = tuple[int, ...]
"""Where a partition is to be read on; what the numbers are is the source's own affair."""


class Timing(Struct, frozen=True):
    """How a source tells the time: its clock, and how far out of order events come, in microseconds.

    `hold` is for how many seconds what the engine has put away for good is not yet done for the source: so long rows
    may wait in the engine's state for their commit. A run that has lost that state gets their lines once more.
    """

    clock: Clock = WALL
    out_of_order: Micros = int(Intake().out_of_order)
    hold: float = 0.0


class Progress(Struct, frozen=True, array_like=True):
    """How far a reader has come: by partition its position and its newest event time; and its watermark."""

    positions: tuple[tuple[int, Position], ...] = ()
    newest: tuple[tuple[int, Micros], ...] = ()
    low: Micros | None = None


class Mark(CheckpointMark):
    """A reader's progress, as the engine keeps it."""

    def __init__(self, source: "LineSource", progress: Progress) -> None:
        """Take the source that is to be told of it, and the progress."""
        self.source = source
        self.progress = progress

    def finalize_checkpoint(self) -> None:
        """Tell the source what is done for good: everything up to here, or up to a mark that is old enough."""
        if self.source.recall is not None:
            REPORT.checkpoint()
        done = pace_of(self.source).put_away(dict(self.progress.positions), self.source.timing.hold)
        if done is not None:
            done.pop(MEMORY, None)
            self.source.finish(done)


class MarkCoder(beam.coders.Coder):
    """The coder of a source's marks: their progress, the same bytes for the same progress."""

    def __init__(self, source: "LineSource") -> None:
        """Take the source."""
        self.source = source
        self.coder = StructCoder(Progress)

    def encode(self, value: Mark) -> bytes:
        """Encode a mark."""
        return bytes(self.coder.encode(value.progress))

    def decode(self, encoded: bytes) -> Mark:
        """Decode a mark."""
        return Mark(self.source, self.coder.decode(encoded))

    def is_deterministic(self) -> bool:
        """Say that the same marks have the same bytes: by them Beam finds a reader that it has put by."""
        return True


class LineSource(UnboundedSource):
    """A source of lines that does not end. Travels to workers; holds no connection."""

    name: str
    """As its user names it."""
    part = 0
    """Which of the parts it is that are read apart."""
    timing: Timing
    recall: Recall | None = None
    """What its reader begins with; of several parts only one has it."""

    def check(self) -> None:
        """See, before anything is started, whether there is something to read from.

        Raises:
            UsageError: there is not.
        """

    def finish(self, positions: dict[int, Position]) -> None:
        """Take that everything before these positions is done for good. May come late, or never."""

    def split(self, desired_num_splits: int, options: object = None) -> list["LineSource"]:
        """Give the parts that may be read apart."""
        return [self]

    @abstractmethod
    def create_reader(self, options: object, checkpoint_mark: Mark | None) -> "LineReader":
        """Give a reader that goes on after a mark, or begins."""

    def get_checkpoint_mark_coder(self) -> MarkCoder:
        """Give the coder of its marks."""
        return MarkCoder(self)

    def default_output_coder(self) -> Any:  # noqa: ANN401
        """Give the coder of blocks."""
        return beam.coders.registry.get_coder(LineBlock)


class Pace:
    """When the readers of a source last did something, in monotonic seconds.

    An engine makes a new reader whenever it likes, even several in a second; to each its own pace, none would ever be
    idle.
    """

    def __init__(self) -> None:
        """Begin now."""
        self.used = self.handed = self.ticked = self.moved = time.monotonic()
        self.full = True
        self.heard: dict[int, float] = {}
        self.away: deque[tuple[float, dict[int, Position]]] = deque()

    def put_away(self, positions: dict[int, Position], hold: float) -> dict[int, Position] | None:
        """Take the positions of a mark that is put away; give the newest that have been so for as long as told."""
        now = time.monotonic()
        self.away.append((now, positions))
        done = None
        while self.away and now - self.away[0][0] >= hold:
            done = self.away.popleft()[1]
        return done


_PACES: dict[tuple[str, int], Pace] = {}


def pace_of(source: LineSource) -> Pace:
    """Give the pace of a source's readers in this process; a new one where none has read for a while."""
    pace = _PACES.get((source.name, source.part))
    if pace is None or time.monotonic() - pace.used > QUIET:
        pace = _PACES[source.name, source.part] = Pace()
    return pace


class Piece(NamedTuple):
    """Lines of one partition, not handed over yet."""

    partition: int
    source: str
    first_line: int
    lines: bytes
    after: Position
    """Where reading goes on behind them."""


class LineReader(UnboundedReader):
    """Hands over what a source's `fetch` brings, in blocks, and keeps its watermark.

    Attributes:
        positions: where each partition is to be read on, behind what was handed over.
        pending: what was fetched, but not handed over yet.
    """

    def __init__(self, source: LineSource, mark: Mark | None) -> None:
        """Go on after a mark, or begin."""
        progress = mark.progress if mark else Progress()
        self.source = source
        self.clock = source.timing.clock
        self.positions = dict(progress.positions)
        self.pace = pace_of(source)
        self.watermarks = Watermarks(
            self.clock, source.timing.out_of_order, dict(progress.newest), progress.low, self.pace.heard
        )
        self.pending: deque[Piece] = deque()
        self.block = LineBlock(source.name, 1, b"", 0)
        self.ended = False
        self.recalled = self._recall() if source.recall else None
        if self.recalled:
            self.watermarks.add(MEMORY)

    @abstractmethod
    def fetch(self, patience: float) -> list[Piece]:
        """Give the next lines; wait that many seconds for the first, no longer. No fault that may pass gets out."""

    @abstractmethod
    def at_end(self, partition: int) -> bool:
        """Make sure that a quiet partition is read to its end now; False where that cannot be known."""

    def start(self) -> bool:
        """Begin like going on."""
        return self.advance()

    def advance(self) -> bool:
        """Take the next block; False where there is none now."""
        if self.ended:
            return False
        self.pace.used = time.monotonic()
        if self.recalled:
            block = next(self.recalled, None)
            if block:
                self.block = block
                return True
            self.recalled = None
            self.watermarks.forget(MEMORY)
        if not self.pending:
            # Small blocks one after the other would cost as much as large ones.
            rest = 0 if self.pace.full else self.pace.handed + GATHER - time.monotonic()
            if rest > 0:
                time.sleep(rest)
            self.pending.extend(self.fetch(GATHER))
        if self.pending:
            self._hand_over(self.pending.popleft())
            return True
        return self._tick()

    def _recall(self) -> Iterator[LineBlock] | None:
        """Give what is still to be taken in of what the lake knows; None where that is done."""
        assert self.source.recall is not None
        version, given = self.positions.get(MEMORY) or (self.source.recall.version(), 0)
        return None if given == DONE else self._remember(version, given)

    def _remember(self, version: int, given: int) -> Iterator[LineBlock]:
        assert self.source.recall is not None
        for count, block in enumerate(self.source.recall.blocks(version, self.clock.now()), 1):
            if count > given:
                self.positions[MEMORY] = (version, count)
                self.pace.moved = time.monotonic()
                yield block
        self.positions[MEMORY] = (version, DONE)

    def _hand_over(self, piece: Piece) -> None:
        self.positions[piece.partition] = piece.after
        self.block = LineBlock(piece.source, piece.first_line, piece.lines, self.clock.now())
        self.watermarks.see(piece.partition, piece.lines)
        count = piece.lines.count(b"\n") + bool(piece.lines)
        READ["lines"] += count
        self.pace.full = count >= BLOCK_LINES // 2 or len(piece.lines) >= BLOCK_BYTES // 2
        self.pace.handed = self.pace.ticked = self.pace.moved = time.monotonic()

    def _tick(self) -> bool:
        """Let time go on where nothing comes: once in a while, and then tell by an empty block that it did."""
        now = time.monotonic()
        if now - self.pace.ticked < TICK:
            return False
        self.pace.ticked = now
        quiet = self.watermarks.quiet()
        idle = [partition for partition in quiet if self.at_end(partition)]
        for partition in idle:
            self.watermarks.idle(partition)
        over = self.clock.until and self.clock.now() >= self.clock.until and now - self.pace.moved >= QUIET
        if over and len(idle) == len(self.watermarks.partitions) > 0:
            self.ended = True
            return False
        self.block = LineBlock(self.source.name, 1, b"", self.clock.now())
        return True

    def get_current(self) -> LineBlock:
        """Give the block."""
        return self.block

    def get_current_timestamp(self) -> Timestamp:
        """Give the watermark: a block holds many times, and it must not be late whatever they are."""
        low = self.watermarks.current()
        return MIN_TIMESTAMP if low is None else Timestamp(micros=low)

    def get_watermark(self) -> Timestamp:
        """Give the watermark; at the end of a trial's clock, the end of time."""
        return MAX_TIMESTAMP if self.ended else self.get_current_timestamp()

    def get_checkpoint_mark(self) -> Mark:
        """Give how far this reader has come."""
        marks = self.watermarks
        marks.current()
        positions, newest = tuple(sorted(self.positions.items())), tuple(sorted(marks.newest.items()))
        return Mark(self.source, Progress(positions, newest, marks.low))


class Patience:
    """When to try again what fails for a while: at once at first, then ever less often, up to every few seconds."""

    LONGEST = 5.0

    def __init__(self, what: str) -> None:
        """Name what is tried, for the log."""
        self.what = what
        self.failed: float | None = None
        self.pause = 0.0
        self.next = 0.0

    def ready(self) -> bool:
        """Tell whether it is time to try."""
        return time.monotonic() >= self.next

    def fail(self, why: object) -> None:
        """Take that it failed; say so once."""
        if self.failed is None:
            self.failed = time.monotonic()
            LOG.warning({"event": "away", "what": self.what, "why": str(why)})
        self.pause = min(max(self.pause * 2, 0.2), self.LONGEST)
        self.next = time.monotonic() + self.pause

    def succeed(self) -> None:
        """Take that it went well; say so where it had failed."""
        if self.failed is not None:
            LOG.warning({"event": "back", "what": self.what, "seconds": round(time.monotonic() - self.failed, 1)})
            self.failed, self.pause, self.next = None, 0.0, 0.0
