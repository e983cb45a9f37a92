"""GroupVisits: session windows make whole visits of their pieces."""

from collections.abc import Iterable, Iterator

import apache_beam as beam
import msgspec
from apache_beam.transforms import trigger, window
from apache_beam.utils.timestamp import Duration, Timestamp
from apache_beam.utils.windowed_value import WindowedValue

from schemas.coders import StructCoder
from schemas.fields import DAY, Micros
from schemas.rows import Visit
from transforms.shards import shard_of
from transforms.visits.bursts import join, visit_id
from transforms.visits.pieces import pack_visits, unpack_visits

SLACK = 2_000
"""Microseconds by which windows are longer than the gap: Beam keeps their bounds in whole milliseconds, and a session
that is cut short by the rounding would be lost; one that holds two visits is parted exactly."""

LATENESS = 7 * DAY
"""How late a scan may come and still join the visit it belongs to."""


class SpreadFn(beam.DoFn):
    """Lay pieces out in event time, in few elements each: sessions are dear by the element."""

    def __init__(self, gap: Micros) -> None:
        """Take the session gap in microseconds."""
        self.gap = gap

    def process(self, element: tuple[int, bytes]) -> Iterator[window.TimestampedValue]:
        """Give each piece at its first scan, and marks without scans up to its last, so that the session reaches it."""
        _, packed = element
        for piece in unpack_visits(packed):
            if piece.events:
                key = f"{piece.order_id}\x1f{piece.tracking_number}"
                yield window.TimestampedValue((key, piece), Timestamp(micros=piece.start_ts))
                for ts in marks(piece, self.gap):
                    mark = msgspec.structs.replace(piece, start_ts=ts, end_ts=ts, events=0, hubs=[], ended_ts=None)
                    yield window.TimestampedValue((key, mark), Timestamp(micros=ts))


def marks(piece: Visit, gap: Micros) -> list[Micros]:
    """Give the times at which a piece must be marked for windows longer than the gap to cover it without a hole.

    >>> marks(Visit("", "o", "t", 0, 25, 3, [], None, False), 10)
    [10, 20, 25]
    """
    inside = list(range(piece.start_ts + gap, piece.end_ts, gap))
    return [*inside, piece.end_ts] if piece.end_ts > piece.start_ts else []


class JoinVisits(beam.CombineFn):
    """Join the pieces of one session. A session may hold several visits: see `SLACK`."""

    def __init__(self, gap: Micros) -> None:
        """Take the session gap in microseconds."""
        self.gap = gap

    def get_accumulator_coder(self) -> beam.coders.Coder:
        """Give the coder of what is joined so far: without it Beam pickles."""
        return beam.coders.ListCoder(StructCoder(Visit))

    def create_accumulator(self) -> list[Visit]:
        """Start with no piece."""
        return []

    def add_input(self, accumulator: list[Visit], piece: Visit) -> list[Visit]:
        """Join one more piece; a mark has done its work by reaching the session."""
        return join((*accumulator, piece), self.gap) if piece.events else accumulator

    def merge_accumulators(self, accumulators: Iterable[list[Visit]]) -> list[Visit]:
        """Join what was joined apart."""
        return join((piece for accumulator in accumulators for piece in accumulator), self.gap)

    def extract_output(self, accumulator: list[Visit]) -> list[Visit]:
        """Give the visits, each named by its parcel and first scan."""
        return [msgspec.structs.replace(visit, visit_id=visit_id(visit), closed=True) for visit in accumulator]


def visits_of(session: tuple[str, list[Visit]]) -> list[Visit]:
    """Give the visits of a session."""
    return session[1]


class GatherFn(beam.DoFn):
    """Gather the visits of a bundle by their parcels' shard: further on, too, elements are what costs."""

    def start_bundle(self) -> None:
        """Begin with none."""
        self.shards: dict[int, list[Visit]] = {}

    def process(self, element: Visit) -> None:
        """Take one visit."""
        self.shards.setdefault(shard_of(element.tracking_number), []).append(element)

    def finish_bundle(self) -> Iterator[WindowedValue]:
        """Give what was gathered."""
        for shard, visits in self.shards.items():
            yield WindowedValue((shard, pack_visits(visits)), window.MIN_TIMESTAMP, [window.GlobalWindow()])


class GroupVisits(beam.PTransform):
    """Group the carrier's scans of a parcel into visits that end with a silence as long as the gap.

    Takes: (shard, packed pieces of visits), global window.
    Gives: (shard, packed whole visits), global window; a visit when its session closes, and again, grown, for each
        late scan.
    Late: a scan up to `LATENESS` after the close joins its visit; a later one is in `events` alone. Shuffles once.
    """

    def __init__(self, gap: Micros) -> None:
        """Take the session gap in microseconds."""
        super().__init__()
        self.gap = gap

    def expand(self, pieces: beam.PCollection[tuple[int, bytes]]) -> beam.PCollection[tuple[int, bytes]]:
        """Wire spread, sessions, join and gather."""
        return (
            pieces
            | "Spread" >> beam.ParDo(SpreadFn(self.gap)).with_output_types(tuple[str, Visit])
            | "Sessions"
            >> beam.WindowInto(
                window.Sessions(Duration(micros=self.gap + SLACK)),
                # Fires when the watermark closes the session, and again for each late scan.
                trigger=trigger.DefaultTrigger(),
                accumulation_mode=trigger.AccumulationMode.ACCUMULATING,
                allowed_lateness=Duration(micros=LATENESS),
            )
            | "Join" >> beam.CombinePerKey(JoinVisits(self.gap)).with_output_types(tuple[str, list[Visit]])
            | "Visits" >> beam.FlatMap(visits_of).with_output_types(Visit)
            | "Globally" >> beam.WindowInto(window.GlobalWindows())
            | "Gather" >> beam.ParDo(GatherFn()).with_output_types(tuple[int, bytes])
        )
