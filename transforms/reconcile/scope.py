"""The scope of a night: which parcels are concluded anew, by which events and scans.

Those are the parcels that something new is known of since the last night, and those that time alone changes. All that a
parcel's conclusions rest on is in scope with it, so that what comes out is what concluding everything anew would give.
"""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
from deltalake.exceptions import DeltaError

from schemas.fields import Micros, to_datetime
from schemas.night import Night
from schemas.policy import Policy
from schemas.stages import CRITICAL_STAGES
from schemas.tables import ALERTS, EVENTS, HUB_SCANS, RECONCILIATION, SHIPMENTS, Table
from transforms.follow.in_sql import quoted
from transforms.hubs.stage import Partition
from transforms.publish.lake import Lake, LakeError, connect
from transforms.reconcile.rules import digest

TOUCHED = "touched.parquet"
"""File in the night's folder: the numbers of the waybills in scope."""


@dataclass(frozen=True)
class Scope:
    """What a night concludes anew.

    Attributes:
        lake: the lake's path.
        folder: the night's folder.
        policy: the limits.
        rules: digest of the policy and the rules.
        horizon: the newest event that the lake knows.
        seen: versions of the live tables that are looked at.
        everything: every parcel is in scope; else those of the file `TOUCHED`.
        events: the files that hold all events of the parcels in scope.
        since: the first day on which a parcel in scope has a scan, a leg or a finding, by file.
        shipped_since: the first day of a parcel in scope.
    """

    lake: str
    folder: str
    policy: Policy
    rules: str
    horizon: Micros
    seen: Mapping[str, int]
    everything: bool
    events: Sequence[str]
    since: datetime.date
    shipped_since: datetime.date

    def only(self, relation: str) -> str:
        """Give the SQL of a relation's rows that are in scope; it must have `tracking_number`."""
        if self.everything:
            return f"(from {relation})"
        return f"(from {relation} semi join {self.touched} using (tracking_number))"

    @property
    def concerned(self) -> str:
        """Give the SQL of the condition that a row with `tracking_number` is in scope."""
        return "true" if self.everything else f"tracking_number in (select tracking_number from {self.touched})"

    @property
    def touched(self) -> str:
        """Give the SQL of the waybills in scope."""
        return f"read_parquet({quoted(str(Path(self.folder, TOUCHED)))})"


def find_scope(
    lake: Lake,
    folder: Path,
    policy: Policy,
    changed: Sequence[Partition],
    waybills: Sequence[Path],
    *,
    rebuild: bool = False,
) -> Scope:
    """Find what a night must conclude anew.

    Args:
        lake: as the last night left it, and the live side up to now.
        folder: the night's folder.
        policy: the limits.
        changed: partitions of scans that the night writes anew.
        waybills: files with the numbers of the waybills that the night's scans concern.
        rebuild: conclude everything anew.
    """
    night = lake.night()
    rules = digest(policy)
    now = {table.name: files for table in (EVENTS, ALERTS) if (files := _files(lake, table)) is not None}
    seen = {name: version for name, (version, _) in now.items()}
    events = now.get(EVENTS.name, (0, []))[1]
    with connect(folder) as db:
        ((newest, clock),) = db.sql(
            f"select epoch_us(max(event_ts)), epoch_us(now()) from {lake.rows(EVENTS, events)}"
        ).fetchall()
        horizon: Micros = min(newest or 0, clock)
        scope = Scope(str(lake.path), str(folder), policy, rules, horizon, seen, True, events, _FIRST, _FIRST)
        fresh = {table.name: _fresh(lake, table, night, now) for table in (EVENTS, ALERTS)}
        if rebuild or night.rules != rules or None in fresh.values():
            return scope
        _touch(db, lake, scope, night, changed, waybills, fresh)
        return _narrow(db, lake, scope, changed, fresh[EVENTS.name] or [])


_FIRST = datetime.date(1970, 1, 1)


def _files(lake: Lake, table: Table) -> tuple[int, list[str]] | None:
    delta = lake.delta(table)
    return None if delta is None else (int(delta.version()), lake.files(table, delta))


def _fresh(lake: Lake, table: Table, night: Night, now: Mapping[str, tuple[int, list[str]]]) -> list[str] | None:
    """Give the files that a live table has more than the last night saw; None where that is not known any more."""
    if table.name not in now:
        return []
    if table.name not in night.seen:
        return now[table.name][1]
    try:
        then = lake.delta(table, night.seen[table.name])
    except (LakeError, DeltaError):
        return None
    assert then is not None
    return sorted({*now[table.name][1]} - {*lake.files(table, then)})


def _touch(
    db: duckdb.DuckDBPyConnection,
    lake: Lake,
    scope: Scope,
    night: Night,
    changed: Sequence[Partition],
    waybills: Sequence[Path],
    fresh: Mapping[str, list[str] | None],
) -> None:
    """Write the waybills in scope."""
    listed = ", ".join(quoted(str(path)) for path in waybills)
    critical = ", ".join(map(quoted, sorted(CRITICAL_STAGES)))
    days = ", ".join(quoted(day) for day in sorted({partition.day for partition in changed})) or "null"
    recent = lake.held(HUB_SCANS, to_datetime(night.horizon).date())
    db.execute(
        f"""copy (
            -- Something new is known of them.
            {f"select tracking_number from read_parquet([{listed}]) union" if waybills else ""}
            select tracking_number from {lake.rows(EVENTS, fresh[EVENTS.name])}
            union select tracking_number from {lake.rows(ALERTS, fresh[ALERTS.name])}
            -- Time goes on for them: their promise comes near, or they stay at a hub.
            union select tracking_number from {lake.rows(SHIPMENTS)}
                where closed_at is null or outcome in ('on_track', 'at_risk', 'breached')
            union select tracking_number from {lake.rows(HUB_SCANS, recent)}
                where scan_ts > make_timestamptz({night.horizon})
            -- The carrier's file of that day is a new one, and may lack them.
            union select tracking_number from {lake.rows(EVENTS, list(scope.events))}
                where event_date in ({days}) and stage in ({critical})
        ) to {quoted(str(Path(scope.folder, TOUCHED)))} (format parquet)"""
    )


def _narrow(
    db: duckdb.DuckDBPyConnection, lake: Lake, scope: Scope, changed: Sequence[Partition], fresh: list[str]
) -> Scope:
    """Leave out the days before the first that tells anything of a parcel in scope."""
    ((first_event, first_scan),) = db.sql(
        f"""with before as (
            select first_event_ts, first_scan_ts from {lake.rows(SHIPMENTS)}
            semi join {scope.touched} using (tracking_number)),
        strays as (
            select batch_ts from {lake.rows(RECONCILIATION)} semi join {scope.touched} using (tracking_number))
        select least((select min(first_event_ts) from before), (select min(event_ts) from {lake.rows(EVENTS, fresh)})),
            least((select min(first_scan_ts) from before), (select min(batch_ts) from strays))"""
    ).fetchall()
    shipped = first_event.date() if first_event else datetime.date.max
    days = [datetime.date.fromisoformat(partition.day) for partition in changed]
    since = min([*days, *([first_scan.date()] if first_scan else []), shipped])
    events = lake.from_day(EVENTS, scope.events, shipped)
    return Scope(
        scope.lake, scope.folder, scope.policy, scope.rules, scope.horizon, scope.seen, False, events, since, shipped
    )
