"""WatchSilence: a valuable parcel of which nothing is heard any more goes to manual review."""

from collections.abc import Iterator
from typing import Any, Optional

import apache_beam as beam
import pyarrow as pa

from schemas.clock import Clock
from schemas.fields import to_batch
from schemas.policy import Policy
from schemas.rows import Alert
from schemas.tables import ALERTS
from transforms.shards import ShardFn
from transforms.visits.pieces import unpack_visits
from transforms.visits.silence import SilenceWatcher


class WatchSilenceFn(ShardFn[list[Alert], pa.RecordBatch]):
    """The shell around `SilenceWatcher`; state and timer are `ShardFn`'s."""

    def __init__(self, policy: Policy, grid: int, clock: Optional[Clock] = None) -> None:
        """Take the policy, the timer's grid in microseconds, and a live run's clock."""
        super().__init__(grid, clock)
        self.policy = policy

    def start(self) -> SilenceWatcher:
        """Give a watcher that remembers nothing."""
        return SilenceWatcher(self.policy)

    def feed(self, machine: Any, packed: bytes) -> list[Alert]:  # noqa: ANN401
        """Let the watcher take pieces of visits."""
        news: list[Alert] = machine.take(unpack_visits(packed))
        return news

    def emit(self, shard: int, news: list[Alert]) -> Iterator[pa.RecordBatch]:
        """Give the rows of alerts."""
        if news:
            yield to_batch(news, ALERTS.row_schema)


class WatchSilence(beam.PTransform):
    """Raise an alert when a session closes while the parcel is neither delivered nor closed; clear it at the next scan.

    Takes: (shard, packed visits), global window: pieces as scans come in, and whole visits as sessions close.
    Gives: batches of alert rows. Shuffles once, by shard.
    Late: a scan that shows there was no silence retracts the alert.
    """

    def __init__(self, policy: Policy, grid: int, clock: Optional[Clock] = None) -> None:
        """Take the policy, the timer's grid in microseconds, and a live run's clock."""
        super().__init__()
        self.policy = policy
        self.grid = grid
        self.clock = clock

    def expand(self, heard: beam.PCollection[tuple[int, bytes]]) -> beam.PCollection[pa.RecordBatch]:
        """Wire the one step."""
        return heard | "Watch" >> beam.ParDo(WatchSilenceFn(self.policy, self.grid, self.clock)).with_output_types(
            pa.RecordBatch
        )
