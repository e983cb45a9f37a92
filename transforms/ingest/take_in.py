"""TakeIn: lines to batches of checked events by shard, and the rejected rest."""

from collections.abc import Iterator
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam import pvalue

from schemas import coders as _coders  # noqa: F401  (registers the coders of LineBlock and RecordBatch)
from schemas.clock import WALL, Clock
from schemas.events import EventBatch, Origin, pack_events
from schemas.fields import Micros, to_batch
from schemas.lines import KNOWN, LineBlock
from schemas.policy import Intake
from schemas.rejections import Rejected, rejection
from schemas.rows import Rejection
from schemas.tables import REJECTIONS
from transforms.ingest.decode import decode
from transforms.ingest.reissue import labels
from transforms.ingest.validate import validate
from transforms.metrics import LATENESS, LINES, REJECTED, UNKNOWN
from transforms.shards import shard_of


def take_in(block: LineBlock, intake: Intake, latest: Micros) -> tuple[EventBatch, list[Rejection], int]:
    """Decode and check a block of lines.

    Args:
        block: whole lines.
        intake: the policy for what may come in.
        latest: the horizon and the tolerance for fast clocks.

    Returns:
        The accepted events and the rejections, both in order, and the number of unknown fields met.
    """
    batch, rejected, unknown = EventBatch([], {}), [], 0
    for place, raw in enumerate(block.lines.split(b"\n")):
        line = raw.removesuffix(b"\r")
        if not line.strip(b" \t\r"):
            continue
        try:
            wire, strange = decode(line, intake.max_record_bytes)
            event = validate(wire, latest)
            if event.order_id is None:
                origin = Origin(line, block.source, block.first_line + place, block.read_ts)
                batch.origins[len(batch.events)] = origin
            batch.events.append(event)
            unknown += strange
        except Rejected as fault:
            rejected.append(rejection(fault, line, block.source, block.first_line + place, block.read_ts))
    return batch, rejected, unknown


def by_shard(batch: EventBatch) -> dict[int, EventBatch]:
    """Split a batch by the shards of its parcels."""
    shards: dict[int, EventBatch] = {}
    for place, event in enumerate(batch.events):
        part = shards.setdefault(shard_of(event.tracking_number), EventBatch([], {}))
        if event.order_id is None:
            part.origins[len(part.events)] = batch.origins[place]
        part.events.append(event)
    return shards


class TakeInFn(beam.DoFn):
    """The shell around `take_in`: adds what follows of reissued waybills, splits by shard, and counts."""

    REJECTED, NEWEST = "rejected", "newest"

    def __init__(self, intake: Intake, as_of: Micros | None, clock: Clock = WALL, *, live: bool = False) -> None:
        """Take the policy, and the horizon if it is a fixed one; else it is what the clock shows.

        With `live` it is measured how late events come: of those of a replay that tells nothing.
        """
        self.intake = intake
        self.as_of = as_of
        self.clock = clock
        self.live = live

    def process(self, element: LineBlock) -> Iterator[Any]:
        """Give batches of events by shard, the newest event time, and a batch of rejections."""
        horizon = self.as_of if self.as_of is not None else self.clock.now()
        batch, rejected, unknown = take_in(element, self.intake, horizon + self.intake.future_tolerance)
        events = batch.events
        # What a lake knows has these already; there an event may meanwhile have an order that it did not come with.
        following = [] if element.source == KNOWN else labels(events)
        for shard, part in by_shard(EventBatch([*events, *following], batch.origins)).items():
            yield shard, pack_events(part)
        if events:
            yield pvalue.TaggedOutput(self.NEWEST, max(event.event_ts for event in events))
        if rejected:
            yield pvalue.TaggedOutput(self.REJECTED, to_batch(rejected, REJECTIONS.row_schema))
        if element.source != KNOWN:
            LINES.add(len(events) + len(rejected))
            if self.live:
                for event in events:
                    LATENESS.take(max(0, horizon - event.event_ts))
        if unknown:
            UNKNOWN.add(unknown)
        for row in rejected:
            REJECTED.add(label=row.reason)


class TakeIn(beam.PTransform):
    """Decode, check and split events by shard.

    Takes: LineBlock, any windowing.
    Gives: the tagged outputs `events` ((shard, packed events), the labels among them that follow of reissued
        waybills), `rejected` (batches of rejections), `newest` (the newest event time of each block).
    Late: nothing is dropped; an event further in the future than the policy allows is rejected.
    """

    def __init__(self, intake: Intake, as_of: Micros | None, clock: Clock = WALL, *, live: bool = False) -> None:
        """Take the policy for what may come in, and the horizon if it is a fixed one, else the clock.

        With `live`, lateness is measured.
        """
        super().__init__()
        self.live = live
        self.intake = intake
        self.as_of = as_of
        self.clock = clock

    def expand(self, blocks: beam.PCollection[LineBlock]) -> Any:  # noqa: ANN401
        """Wire the one step."""
        step = beam.ParDo(TakeInFn(self.intake, self.as_of, self.clock, live=self.live)).with_output_types(
            tuple[int, bytes], rejected=pa.RecordBatch, newest=int
        )
        return blocks | "DecodeAndValidate" >> step.with_outputs(TakeInFn.REJECTED, TakeInFn.NEWEST, main="events")
