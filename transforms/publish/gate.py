"""The horizon gate: nothing is published of a time that is not known yet.

A bounded input, a drain or a savepoint pushes the watermark to infinity, and every deadline fires; only those up to the
horizon are true.
"""

from collections.abc import Iterator

import apache_beam as beam
import pyarrow as pa
import pyarrow.compute as pc

from schemas.alerts import RAISED
from schemas.clock import WALL, Clock
from schemas.fields import Micros, to_batch
from schemas.stages import TROUBLE_STAGES
from schemas.tables import VISITS
from transforms.metrics import ALERT_LATENCY
from transforms.visits.pieces import unpack_visits

WALL_CLOCK: Micros = -1
"""The horizon of a live run: whatever the time is by its clock."""

_TROUBLES = pa.array(sorted(TROUBLE_STAGES))


def known_alerts(alerts: pa.RecordBatch, horizon: Micros, clock: Clock = WALL) -> pa.RecordBatch:
    """Keep the alerts that were due by the horizon. Live, a trouble reported by a fast clock is no less true."""
    due = alerts["due_ts"].cast(pa.int64())
    if horizon == WALL_CLOCK:
        return alerts.filter(pc.or_(pc.less_equal(due, clock.now()), pc.is_in(alerts["kind"], _TROUBLES)))
    return alerts.filter(pc.less_equal(due, horizon))


class KnownAlertsFn(beam.DoFn):
    """The shell around `known_alerts`."""

    def __init__(self, clock: Clock = WALL) -> None:
        """Take the clock of a live run."""
        self.clock = clock

    def process(self, element: pa.RecordBatch, horizon: int = WALL_CLOCK) -> Iterator[pa.RecordBatch]:
        """Give what is known of a batch, if anything is."""
        known = known_alerts(element, horizon, self.clock)
        if known.num_rows:
            if horizon == WALL_CLOCK:
                self._measure(known)
            yield known

    def _measure(self, alerts: pa.RecordBatch) -> None:
        now = self.clock.now()
        raised = alerts.filter(pc.equal(alerts["state"], RAISED))
        for due in raised["due_ts"].cast(pa.int64()).to_pylist():
            ALERT_LATENCY.take(max(0, now - due))


class KnownVisitsFn(beam.DoFn):
    """Mark the visits whose gap had not passed by the horizon as open, and make rows of them."""

    def __init__(self, gap: Micros, clock: Clock = WALL) -> None:
        """Take the session gap in microseconds, and the clock of a live run."""
        self.gap = gap
        self.clock = clock

    def process(self, element: tuple[int, bytes], horizon: int = WALL_CLOCK) -> Iterator[pa.RecordBatch]:
        """Give a batch of visits."""
        at = self.clock.now() if horizon == WALL_CLOCK else horizon
        visits = unpack_visits(element[1])
        for visit in visits:
            visit.closed = visit.end_ts + self.gap <= at
        yield to_batch(visits, VISITS.row_schema)
