"""The source where there is no database: the lake, to read only, as one snapshot that is taken anew now and then."""

import threading
import time
from collections.abc import Collection, Hashable, Mapping
from pathlib import Path
from typing import NamedTuple

import duckdb

from pipelines.errors import QueryError
from pipelines.explain import facts, sections, standing, story
from pipelines.query import open_lake
from schemas.fields import Micros
from schemas.policy import Policy
from services.desk.queue import Queue, Rows
from services.desk.rows import Parcel
from services.desk.source import MOST_PARCELS, Key, SourceError, Standing
from services.desk.statements import Statement, rows_of
from services.desk.steps import Step
from transforms.publish.lake import Lake, LakeError
from transforms.tell.statements import SQLITE

# As the databases have it, with times as whole numbers; nobody has taken on anything.
_QUEUE = """
create table desk_queue as
select
    split_part(alert_id, '.', 1) as alert_id,
    coalesce(try_cast(split_part(alert_id, '.', 2) as integer), 0) as occurrence,
    order_id, tracking_number, kind, epoch_us(due_ts) as due_ts, evidence, epoch_us(state_ts) as check_ts,
    carrier, warehouse_id, current_stage, epoch_us(promised_delivery_ts) as promised_delivery_ts,
    null::varchar as acknowledged_by, null::bigint as acknowledged_at, null::varchar as assignee,
    null::bigint as handled_at
from latest_alerts
left join (
    select order_id, tracking_number, carrier, warehouse_id, current_stage, promised_delivery_ts from parcels
) using (order_id, tracking_number)
where state = 'raised'
"""
_REASON = """(select arg_min(reason, (event_ts, event_id)) from events where stage = '{0}'
    and events.order_id = parcels.order_id and events.tracking_number = parcels.tracking_number)"""
_PARCELS = f"""
select
    order_id, tracking_number, warehouse_id, carrier, current_stage,
    epoch_us(picked_at), epoch_us(packed_at), epoch_us(labeled_at), epoch_us(carrier_scanned_at),
    epoch_us(exception_at), {_REASON.format("exception")},
    epoch_us(out_for_delivery_at), epoch_us(attempt_failed_at), {_REASON.format("attempt_failed")},
    epoch_us(available_for_pickup_at), epoch_us(least(return_started_at, returned_at)), epoch_us(delivered_at),
    epoch_us(closed_at), epoch_us(promised_delivery_ts), epoch_us(latest_promised_delivery_ts), epoch_us(last_event_ts)
from parcels where tracking_number = ? order by last_event_ts desc, order_id limit {MOST_PARCELS}
"""


class _Snapshot(NamedTuple):
    """The lake as it was at one moment."""

    db: duckdb.DuckDBPyConnection
    horizon: Micros
    policy: Policy
    taken: float


class LakeSource(Queue):
    """A lake; a snapshot of it is shared by all threads until it is too old."""

    writable = False

    def __init__(self, folder: str | Path, refresh: float) -> None:
        """Take the folder, and after how many seconds the lake is looked at anew.

        Raises:
            LakeError: there is no lake, or it cannot be read.
        """
        super().__init__(SQLITE)
        self.folder = folder
        self.refresh = refresh
        self._renewing = threading.Lock()
        self._held = self._take()

    def now(self) -> Micros:
        """Give the horizon: the time up to which the lake knows the world."""
        return self._snapshot().horizon

    def story(self, order_id: str) -> list[Standing]:
        """Tell an order's story as `explain` does."""
        snapshot = self._snapshot()
        try:
            parcels = story(snapshot.db.cursor(), order_id, snapshot.policy)
        except QueryError:
            return []
        except LakeError as fault:
            raise SourceError("The lake cannot be read.") from fault
        return [
            Standing(parcel["tracking_number"], [facts(parcel), standing(parcel)], list(sections(parcel)))
            for parcel in parcels[:MOST_PARCELS]
        ]

    def parcels(self, tracking_number: str) -> list[Parcel]:
        """Give the parcels that have, or had, a tracking number."""
        return rows_of(Parcel, self._rows(Statement(_PARCELS, (tracking_number,))))

    def act(self, step: Step) -> int:
        """Refuse: a lake keeps no steps."""
        raise SourceError("Without a database nothing can be acknowledged or assigned.")

    def parcel_marks(self, parcels: Collection[Key]) -> Mapping[Key, Hashable]:
        """Give the horizon for each parcel: whatever came since may concern it."""
        return dict.fromkeys(parcels, self.now())

    def close(self) -> None:
        """Let go of the snapshot."""
        self._held.db.close()

    def _rows(self, asked: Statement) -> Rows:
        try:
            return self._snapshot().db.cursor().execute(asked.sql, asked.given).fetchall()
        except duckdb.Error as fault:
            raise SourceError("The lake cannot be read.") from fault

    def _snapshot(self) -> _Snapshot:
        """Give the snapshot; one thread takes a new one when it is too old, the others go on with what there is."""
        if time.monotonic() - self._held.taken > self.refresh and self._renewing.acquire(blocking=False):
            try:
                self._held = self._take()
            except LakeError as fault:
                raise SourceError("The lake cannot be read.") from fault
            finally:
                self._renewing.release()
        return self._held

    def _take(self) -> _Snapshot:
        db = open_lake(self.folder)
        try:
            db.execute(_QUEUE)
            ((horizon,),) = db.sql("select epoch_us(horizon())").fetchall()
        except duckdb.Error as fault:
            raise LakeError(f"The lake at {self.folder} cannot be read.") from fault
        return _Snapshot(db, horizon, Lake(self.folder).policy(), time.monotonic())
