"""FollowAndWatch: the stateful step. Dedupes, follows every parcel, and watches its deadlines."""

from collections.abc import Iterator
from typing import Any, Optional

import apache_beam as beam
import pyarrow as pa
from apache_beam import pvalue

from schemas.clock import Clock
from schemas.events import to_json, unpack_events
from schemas.fields import to_batch
from schemas.policy import Policy
from schemas.rejections import Rejected, rejection
from schemas.rows import Rejection
from schemas.tables import ALERTS, EVENTS, REJECTIONS
from transforms.follow.status import pack_statuses
from transforms.metrics import ACCEPTED, OPEN, REPEATED
from transforms.shards import ShardFn
from transforms.visits.pieces import pack_visits
from transforms.watch.tracker import News, Tracker, Waiting


class FollowAndWatchFn(ShardFn[News, Any]):
    """The shell around `Tracker`; state and timer are `ShardFn`'s."""

    ALERTS, PIECES, REJECTED, STATUSES = "alerts", "pieces", "rejected", "statuses"

    def __init__(self, policy: Policy, grid: int, *, statuses: bool = False, clock: Optional[Clock] = None) -> None:
        """Take the policy, the grid of the timer in microseconds, whether to tell statuses, and a live run's clock."""
        super().__init__(grid, clock)
        self.policy = policy
        self.statuses = statuses

    def start(self) -> Tracker:
        """Give a tracker that remembers nothing."""
        return Tracker(self.policy, statuses=self.statuses)

    def feed(self, machine: Any, packed: bytes) -> News:  # noqa: ANN401
        """Let the tracker take a batch of events."""
        news: News = machine.take(unpack_events(packed))
        return news

    def emit(self, shard: int, news: News) -> Iterator[Any]:
        """Give accepted events, rows of alerts, pieces of visits, events without an order, and how parcels stand."""
        if news.events:
            yield to_batch(news.events, EVENTS.row_schema)
            ACCEPTED.add(len(news.events))
        REPEATED.add(news.repeated)
        if news.open is not None:
            OPEN.set(shard, news.open)
        if news.alerts:
            yield pvalue.TaggedOutput(self.ALERTS, to_batch(news.alerts, ALERTS.row_schema))
        if news.visits:
            yield pvalue.TaggedOutput(self.PIECES, (shard, pack_visits(news.visits)))
        if news.unresolved:
            rows = [unresolved(one) for one in news.unresolved]
            yield pvalue.TaggedOutput(self.REJECTED, to_batch(rows, REJECTIONS.row_schema))
        if news.statuses:
            yield pvalue.TaggedOutput(self.STATUSES, pack_statuses(news.statuses))


def unresolved(waiting: Waiting) -> Rejection:
    """Make the rejection of an event whose order never became known."""
    event, origin = waiting.event, waiting.origin
    fault = Rejected("unknown_waybill", f"{event.carrier} {event.tracking_number}")
    if origin is None:
        return rejection(fault, to_json(event), "state", 0, event.received_ts or event.event_ts)
    return rejection(fault, origin.raw, origin.source, origin.position, origin.received_ts)


class FollowAndWatch(beam.PTransform):
    """Follow every parcel; tell what happened and what did not.

    Takes: (shard, packed events), global window.
    Gives: the tagged outputs `events` (batches of accepted events, each event once), `alerts` (batches of alert rows:
        troubles on arrival, absences when the watermark passes their due time), `pieces` ((shard, packed pieces of
        visits)), `rejected` (events whose waybill never got an order), and if asked for `statuses` (packed rows of the
        parcels whose status changed). Shuffles once, by shard.
    Late: any lateness is taken as long as the parcel is in mind; what was told too early is retracted.
    """

    def __init__(self, policy: Policy, grid: int, *, statuses: bool = False, clock: Optional[Clock] = None) -> None:
        """Take the policy, the grid of the timer in microseconds, whether to tell statuses, and a live run's clock."""
        super().__init__()
        self.policy = policy
        self.grid = grid
        self.statuses = statuses
        self.clock = clock

    def expand(self, batches: beam.PCollection[tuple[int, bytes]]) -> Any:  # noqa: ANN401
        """Wire the one step."""
        fn = FollowAndWatchFn(self.policy, self.grid, statuses=self.statuses, clock=self.clock)
        types: dict[str, Any] = {
            fn.ALERTS: pa.RecordBatch,
            fn.PIECES: tuple[int, bytes],
            fn.REJECTED: pa.RecordBatch,
            **({fn.STATUSES: bytes} if self.statuses else {}),
        }
        step = beam.ParDo(fn).with_output_types(pa.RecordBatch, **types)
        return batches | "Follow" >> step.with_outputs(*types, main="events")
