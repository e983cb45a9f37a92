"""Feed what only the files know: scans become events, as if they had come live, and all that follows is put right.

An event is taken back when its webhook comes after all, or when a corrected file does not tell of it any more. What is
read here is what the lake holds at this moment, under its write lock: the live side may have gone on meanwhile.
"""

from collections import defaultdict

import duckdb
import pyarrow as pa

from schemas.alerts import SILENT
from schemas.events import Event
from schemas.fields import Micros, to_batch
from schemas.rows import Alert, Visit
from schemas.tables import ALERTS, EVENTS, MILESTONES, VISITS, Table
from transforms.follow.in_sql import is_fed
from transforms.follow.journey import Journey
from transforms.hubs.overstay import Stay, overstays
from transforms.publish.append import append
from transforms.publish.lake import Lake
from transforms.publish.partitions import commit_partitions
from transforms.publish.rejudge import journeys_of, lives_of, told_of
from transforms.publish.revise import revise
from transforms.reconcile.evidence import FED_COLUMNS
from transforms.reconcile.scope import Scope
from transforms.visits.bursts import bursts, visit_id
from transforms.watch.telling import tell

Parcel = tuple[str, str]
"""Order and tracking number."""

_PARCEL = "order_id, tracking_number"


def feed(db: duckdb.DuckDBPyConnection, scope: Scope) -> dict[str, int]:
    """Put events, milestones, visits and alerts right; give the number of rows added to each.

    Every step is such that a run cut off anywhere is completed by doing it again.

    Args:
        db: a connection with `fed` (events that the files alone know) and `stays` of the parcels in scope.
        scope: of the night; the lake's write lock must be held.
    """
    lake = Lake(scope.lake)
    _bind(db, lake, scope)
    journeys = journeys_of(db, "judged")
    fed = set(db.execute(f"select distinct {_PARCEL} from feeding").fetchall())
    added = {
        EVENTS.name: append(lake, EVENTS, _rows(db, EVENTS, "fresh")),
        MILESTONES.name: append(lake, MILESTONES, _rows(db, MILESTONES, "reached")),
        VISITS.name: _put_visits(db, lake, scope, {parcel: journeys[parcel] for parcel in fed & journeys.keys()}),
    }
    news = _news(db, scope, journeys)
    added[ALERTS.name] = append(lake, ALERTS, pa.Table.from_batches([to_batch(news, ALERTS.row_schema)]))
    _take_back(db, lake, scope)
    return {name: rows for name, rows in added.items() if rows}


def _bind(db: duckdb.DuckDBPyConnection, lake: Lake, scope: Scope) -> None:
    """Bind what is to be judged: the parcels that are fed or were, and those that stayed at a hub for long."""
    for table in (EVENTS, VISITS, ALERTS):
        rows = lake.rows(table, lake.held(table, scope.shipped_since))
        db.execute(f"create view lake_{table.name} as from {scope.only(rows)}")
    db.execute(f"create temp table held as from lake_events where {is_fed()}")
    columns = ", ".join(Event.__struct_fields__)
    db.execute(
        f"""create temp table want as
            select {columns} from lake_events where false union all by name select {FED_COLUMNS} from fed"""
    )
    db.execute("create temp table fresh as from want anti join held using (event_id)")
    db.execute("create temp table stale as from held anti join want using (event_id)")
    db.execute(f"create temp table feeding as select {_PARCEL} from want union select {_PARCEL} from held")
    db.execute(
        f"""create temp table parcels_judged as from feeding union select {_PARCEL} from stays
            union select {_PARCEL} from lake_alerts where kind = '{SILENT}' and evidence like 'at hub %'"""
    )
    db.execute(
        f"""create temp table judged as
            select {columns} from (from lake_events anti join held using (event_id))
                semi join parcels_judged using ({_PARCEL})
            union all by name select {columns} from want"""
    )
    db.execute(f"create temp view reached as select {_PARCEL}, stage as milestone, event_ts from want")
    db.execute(f"create temp table told as from lake_alerts semi join parcels_judged using ({_PARCEL})")


def _rows(db: duckdb.DuckDBPyConnection, table: Table, relation: str) -> pa.Table:
    names = ", ".join(table.row_schema.names)
    return db.sql(f"select {names} from {relation}").to_arrow_table().cast(table.row_schema)


def _news(db: duckdb.DuckDBPyConnection, scope: Scope, journeys: dict[Parcel, Journey]) -> list[Alert]:
    """Give the rows by which the alerts of the judged parcels become those of all that is known."""
    policy = scope.policy
    told = told_of(db, "told")
    stays: dict[Parcel, list[Stay]] = defaultdict(list)
    for order_id, tracking_number, *stay in db.execute(
        "select order_id, tracking_number, hub, epoch_us(in_ts), epoch_us(out_ts) from stays order by all"
    ).fetchall():
        stays[order_id, tracking_number].append(Stay(*stay))
    news: list[Alert] = []
    for parcel, journey in journeys.items():
        mine = told.get(parcel, {})

        def known(due_ts: Micros, identity: str, mine: dict[str, Alert] = mine) -> bool:
            return due_ts <= scope.horizon or identity in mine

        lives = [life for life in lives_of(journey, policy) if known(life[0].due_ts, life[0].alert_id)]
        silences = [life for life in lives if life[0].kind == SILENT]
        stayed = overstays(*parcel, stays[parcel], journey.closed_ts, silences, int(policy.hubs.longest_stay))
        lives += [life for life in stayed if known(life[0].due_ts, life[0].alert_id)]
        news += tell(mine, lives, journey.last_ts)
    return news


def _put_visits(db: duckdb.DuckDBPyConnection, lake: Lake, scope: Scope, journeys: dict[Parcel, Journey]) -> int:
    """Replace the visits of parcels that are fed; give how many rows were written for it."""
    rule = scope.policy.visits
    closed = dict(
        db.execute("select (visit_id, epoch_us(end_ts)), bool_or(closed) from lake_visits group by 1").fetchall()
    )
    visits: list[Visit] = []
    for parcel, journey in journeys.items():
        if rule.parcels == "none" or (rule.parcels == "high_value" and journey.declared_value < rule.high_value):
            continue
        for visit in bursts(*parcel, journey.scans, rule.gap):
            visit.visit_id = visit_id(visit)
            passed = visit.end_ts + rule.gap <= scope.horizon
            visit.closed = passed or closed.get((visit.visit_id, visit.end_ts), False)
            visits.append(visit)
    db.register("visits_now", pa.Table.from_batches([to_batch(visits, VISITS.row_schema)]))
    concerned = f"({_PARCEL}) in (select ({_PARCEL}) from feeding)"
    return _revise(db, lake, scope, VISITS, "visits_now", concerned)


def _take_back(db: duckdb.DuckDBPyConnection, lake: Lake, scope: Scope) -> None:
    """Take away the events that are fed no more, and their milestones: last, since they tell what to put right."""
    if not db.execute("select 1 from stale limit 1").fetchall():
        return
    names = ", ".join(MILESTONES.row_schema.names)
    db.execute(
        f"""create temp table reached_still as
            select distinct order_id, tracking_number, stage as milestone, event_ts
            from judged semi join stale using ({_PARCEL})"""
    )
    concerned = f"({_PARCEL}) in (select ({_PARCEL}) from stale)"
    _revise(db, lake, scope, MILESTONES, f"(select {names} from reached_still)", concerned)
    _revise(db, lake, scope, EVENTS, "(from stale where false)", "event_id in (select event_id from stale)")


def _revise(db: duckdb.DuckDBPyConnection, lake: Lake, scope: Scope, table: Table, rows: str, concerned: str) -> int:
    """Replace rows of a table that the live side writes too, in one commit; give how many rows were written."""
    revision = revise(db, lake, table, rows, lake.held(table, scope.shipped_since), concerned)
    if revision.written or revision.replaced:
        commit_partitions(lake, table, revision.written, revision.replaced)
    return sum(one.rows for one in revision.written)
