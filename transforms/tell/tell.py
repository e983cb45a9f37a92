"""Tell: parcels and alerts to the tables that operations read, news to the outbox; once each, whatever comes again."""

import threading
import time
from typing import Any, Optional

import apache_beam as beam
import msgspec
import pyarrow as pa

from schemas.clock import WALL, Clock
from schemas.policy import Notify
from schemas.rows import Alert, Status
from transforms.follow.status import unpack_statuses
from transforms.metrics import TELL, TOLD
from transforms.tell.store import Store
from transforms.tell.stores import open_store

MOST_ROWS = 1_000
"""Rows in a transaction; a bundle ends with one of fewer."""

_SHARED: dict[tuple[str, tuple[str, ...]], tuple[Store, int]] = {}
_SHARING = threading.Lock()


class TellFn(beam.DoFn):
    """Writes a bundle's rows in batches, and has written them when the bundle ends: a bundle that fails comes again."""

    def __init__(self, address: str, notify: Notify, clock: Clock) -> None:
        """Take the store's address, whom to tell, and by which clock what is old is no news."""
        self.address = address
        self.channels = notify.channels
        self.oldest = int(notify.oldest)
        self.clock = clock
        self.store: Optional[Store] = None
        self.statuses: list[Status] = []
        self.alerts: list[Alert] = []

    def setup(self) -> None:
        """Share one pool of connections among the threads of a worker."""
        with _SHARING:
            store, users = _SHARED.get((self.address, self.channels)) or (open_store(self.address, self.channels), 0)
            _SHARED[self.address, self.channels] = store, users + 1
        self.store = store

    def teardown(self) -> None:
        """Close what nobody uses any more."""
        if self.store is None:
            return
        with _SHARING:
            store, users = _SHARED.pop((self.address, self.channels))
            if users > 1:
                _SHARED[self.address, self.channels] = store, users - 1
            else:
                store.close()
        self.store = None

    def start_bundle(self) -> None:
        """Forget what a bundle that failed had gathered."""
        self.statuses, self.alerts = [], []

    def process(self, element: bytes | pa.RecordBatch) -> None:
        """Gather packed statuses, or a batch of alerts; write when there are enough."""
        if isinstance(element, pa.RecordBatch):
            self.alerts += alerts_of(element)
        else:
            self.statuses += unpack_statuses(element)
        while max(len(self.statuses), len(self.alerts)) >= MOST_ROWS:
            self._write()

    def finish_bundle(self) -> None:
        """Write the rest."""
        while self.statuses or self.alerts:
            self._write()

    def _write(self) -> None:
        assert self.store is not None
        began = time.monotonic_ns()
        recorded = self.store.write(self.statuses[:MOST_ROWS], self.alerts[:MOST_ROWS], self.clock.now() - self.oldest)
        del self.statuses[:MOST_ROWS], self.alerts[:MOST_ROWS]
        for name, count in recorded._asdict().items():
            TOLD.add(count, name)
        TELL.take((time.monotonic_ns() - began) // 1000)


def alerts_of(batch: pa.RecordBatch) -> list[Alert]:
    """Give the rows of a batch of alerts."""
    whole = [
        column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column
        for column in (batch.column(name) for name in Alert.__struct_fields__)
    ]
    return [msgspec.convert(row, Alert) for row in zip(*(column.to_pylist() for column in whole), strict=True)]


class Tell(beam.PTransform):
    """Write how parcels stand and their alerts to the store, and what is news to its outbox.

    Takes: a pair of packed statuses and batches of alert rows, global window.
    Gives: nothing. Does not shuffle; a store that is away holds its bundle, and so all that comes before it.
    Late: a row of any age is merged into what is there.
    """

    def __init__(self, address: str, notify: Notify, clock: Clock = WALL) -> None:
        """Take the store's address, a DSN of Postgres or sqlite:///PATH, whom to tell, and what time it is."""
        super().__init__()
        self.address = address
        self.notify = notify
        self.clock = clock

    def expand(self, told: tuple[beam.PCollection[bytes], beam.PCollection[pa.RecordBatch]]) -> Any:  # noqa: ANN401
        """Wire one writer to each, so that neither needs to be of the other's kind."""
        statuses, alerts = told
        return (
            statuses
            | "Statuses" >> beam.ParDo(TellFn(self.address, self.notify, self.clock)).with_output_types(type(None)),
            alerts
            | "Alerts" >> beam.ParDo(TellFn(self.address, self.notify, self.clock)).with_output_types(type(None)),
        )
