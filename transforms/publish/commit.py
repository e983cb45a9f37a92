"""Publish: rows of all tables, gathered into one commit a table every so often."""

import time
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.coders import StrUtf8Coder, TupleCoder, VarIntCoder
from apache_beam.transforms.timeutil import TimeDomain
from apache_beam.transforms.userstate import BagStateSpec, ReadModifyWriteStateSpec, TimerSpec, on_timer
from apache_beam.utils.timestamp import Timestamp

from schemas.coders import RecordBatchCoder
from schemas.fields import MINUTE, Micros
from schemas.policy import Policy
from schemas.tables import ALERTS, EVENTS, MILESTONES, TABLES, Table
from transforms.metrics import COMMIT, ROWS
from transforms.publish.append import append
from transforms.publish.lake import Lake
from transforms.publish.rejudge import rejudge

Rows = tuple[str, pa.RecordBatch]
"""A batch and the name of the table it is for."""

MOST_ROWS = 250_000
"""Rows gathered before a commit is made without waiting for its time: bounds the memory."""

NO_ALERTS = -1

TICK: Rows = ("", pa.RecordBatch.from_pylist([], schema=pa.schema([])))
"""No rows: only a sign that time passes, from a source that has nothing to read."""


def commit(lake: Lake, gathered: Iterable[Rows], policy: Policy, alerts_before: int) -> dict[str, int]:
    """Write gathered rows, one commit a table, facts first; give the number of rows added to each.

    Every step adds only what the lake lacks, so that a commit cut off anywhere is completed by doing it again.

    Args:
        lake: where to.
        gathered: batches of any tables.
        policy: the limits, to judge alerts of earlier runs by.
        alerts_before: version of the alerts table when this run began, NO_ALERTS where there was none.
    """
    batches: dict[str, list[pa.RecordBatch]] = defaultdict(list)
    for name, batch in gathered:
        batches[name].append(batch)
    tables = {name: _together(TABLES[name], some) for name, some in batches.items()}
    if EVENTS.name in tables:
        tables[MILESTONES.name] = _milestones(tables[EVENTS.name])
    added = {}
    with lake.writing():
        for name, table in TABLES.items():
            if name in tables:
                added[name] = append(lake, table, tables[name])
        if EVENTS.name in tables and alerts_before != NO_ALERTS:
            parcels = tables[EVENTS.name].select(["order_id", "tracking_number"])
            judged = rejudge(lake, alerts_before, parcels, policy)
            if judged is not None:
                added["alerts_rejudged"] = append(lake, ALERTS, judged)
    return added


def _together(table: Table, batches: Iterable[pa.RecordBatch]) -> pa.Table:
    """Put batches together; one that has waited in a savepoint since an earlier schema gets the columns it lacks."""
    some = (pa.Table.from_batches([batch]) for batch in batches)
    return pa.concat_tables([table.row_schema.empty_table(), *some], promote_options="default")


def _milestones(events: pa.Table) -> pa.Table:
    columns = [events[name] for name in ("order_id", "tracking_number", "stage", "event_ts")]
    return pa.table(columns, schema=MILESTONES.row_schema)


class CommitFn(beam.DoFn):
    """The shell around `commit`.

    Live, event time runs behind, and on an engine's processing-time timers is no relying: so rows are also committed
    by whatever comes in, a tick at the least, once the first of them has waited for long enough.

    Attributes:
        GATHERED: batches waiting for the next commit.
        COUNT: how many rows they have.
        SINCE: since when the first of them waits, by the wall clock.
        BEFORE: version of the alerts table when this run began; kept over restarts with state.
        DUE: event-time timer of the next commit.
    """

    GATHERED = BagStateSpec("gathered", TupleCoder([StrUtf8Coder(), RecordBatchCoder()]))
    COUNT = ReadModifyWriteStateSpec("count", VarIntCoder())
    SINCE = ReadModifyWriteStateSpec("since", VarIntCoder())
    BEFORE = ReadModifyWriteStateSpec("before", VarIntCoder())
    DUE = TimerSpec("due", TimeDomain.WATERMARK)

    def __init__(self, lake: str, policy: Policy, every: Micros, grid: Micros) -> None:
        """Take the lake's path, the policy, how often to commit, and the grid of the timer; both in microseconds."""
        self.lake = Lake(Path(lake))
        self.policy = policy
        self.every = every
        self.grid = max(every, grid)

    def process(
        self,
        element: tuple[int, Rows],
        timestamp: Timestamp = beam.DoFn.TimestampParam,
        gathered: Any = beam.DoFn.StateParam(GATHERED),  # noqa: ANN401, B008
        count: Any = beam.DoFn.StateParam(COUNT),  # noqa: ANN401, B008
        since: Any = beam.DoFn.StateParam(SINCE),  # noqa: ANN401, B008
        before: Any = beam.DoFn.StateParam(BEFORE),  # noqa: ANN401, B008
        due: Any = beam.DoFn.TimerParam(DUE),  # noqa: ANN401, B008
    ) -> None:
        """Gather a batch; commit when there are enough rows, or they have waited for long enough."""
        new: int = element[1][1].num_rows
        rows = (count.read() or 0) + new
        if new:
            gathered.add(element[1])
            count.write(rows)
        if not rows:
            return
        now = time.time_ns() // 1000
        first = rows == new
        if first:
            since.write(now)
        if rows >= MOST_ROWS or (not first and now - since.read() >= self.every):
            self._commit(gathered, count, before)
        elif first:
            due.set(Timestamp(micros=(timestamp.micros // self.grid + 1) * self.grid))

    @on_timer(DUE)
    def on_due(
        self,
        gathered: Any = beam.DoFn.StateParam(GATHERED),  # noqa: ANN401, B008
        count: Any = beam.DoFn.StateParam(COUNT),  # noqa: ANN401, B008
        before: Any = beam.DoFn.StateParam(BEFORE),  # noqa: ANN401, B008
    ) -> None:
        """Commit what was gathered."""
        self._commit(gathered, count, before)

    def _commit(self, gathered: Any, count: Any, before: Any) -> None:  # noqa: ANN401
        base = before.read()
        if base is None:
            delta = self.lake.delta(ALERTS)
            base = NO_ALERTS if delta is None else delta.version()
            before.write(base)
        batches = list(gathered.read())
        if batches:
            began = time.monotonic_ns()
            added = commit(self.lake, batches, self.policy, base)
            COMMIT.take((time.monotonic_ns() - began) // 1000)
            for name, rows in added.items():
                ROWS.add(rows, name)
        gathered.clear()
        count.clear()


class Publish(beam.PTransform):
    """Write rows to the lake's tables, each once, in one commit a table every so often.

    Takes: (table name, batch of its rows), global window.
    Gives: nothing. Shuffles once, to the one committer.
    Late: a row of any age is added to its partition.
    """

    def __init__(self, lake: str, policy: Policy, every: Micros = MINUTE, grid: Micros = MINUTE) -> None:
        """Take the lake's path, the policy, how often to commit, and the grid of the timer; both in microseconds."""
        super().__init__()
        self.lake = lake
        self.policy = policy
        self.every = every
        self.grid = grid

    def expand(self, rows: beam.PCollection[Rows]) -> beam.PCollection[None]:
        """Wire the one committer."""
        return (
            rows
            | "ToCommitter" >> beam.Map(to_committer).with_output_types(tuple[int, tuple[str, pa.RecordBatch]])
            | "Commit"
            >> beam.ParDo(CommitFn(self.lake, self.policy, self.every, self.grid)).with_output_types(type(None))
        )


def to_committer(rows: Rows) -> tuple[int, Rows]:
    """Key every batch alike: one committer orders the tables of a commit."""
    return 0, rows
