"""Conclude what one carrier's files tell: its legs and findings written anew, and what its parcels' rows need."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import duckdb

from schemas.tables import HUB_LEGS, HUB_SCANS, RECONCILIATION, Table
from transforms.follow.in_sql import quoted
from transforms.publish.lake import Lake, connect
from transforms.publish.revise import Revision, revise
from transforms.reconcile.evidence import SIGHTINGS, WAYBILLS, laid_aside
from transforms.reconcile.match import match
from transforms.reconcile.scope import Scope
from transforms.reconcile.stays import tell_time

FOR_PARCELS = ("fed", "tallies", "incidents", "stays")
"""What is laid aside for the rows of parcels, a file of each a carrier: `<name>-<number>.parquet`."""


class Concluded(NamedTuple):
    """What one carrier's files change: its legs and its findings."""

    legs: Revision
    findings: Revision


def conclude(scope: Scope, number: int, carrier: str, scans: Sequence[str]) -> Concluded:
    """Conclude what a carrier's files tell of the parcels in scope.

    Args:
        scope: of the night.
        number: of the carrier, to name what is laid aside.
        carrier: which one.
        scans: the files with its scans since the first day in scope, tonight's among them.
    """
    lake, folder = Lake(scope.lake), Path(scope.folder)
    with connect(folder) as db:
        db.execute(f"create view waybills as from {laid_aside(scope, WAYBILLS, carrier)}")
        db.execute(f"create view sightings as from {laid_aside(scope, SIGHTINGS, carrier)} where not fed")
        db.execute(f"create view scans as from {scope.only(lake.rows(HUB_SCANS, list(scans)))}")
        db.execute(
            f"create view covered as select distinct stage, service_date from {lake.rows(HUB_SCANS, list(scans))}"
        )
        match(db, scope, carrier)
        tell_time(db, scope, carrier)
        for name in FOR_PARCELS:
            db.execute(f"copy {name} to {quoted(str(folder / f'{name}-{number}.parquet'))} (format parquet)")
        return Concluded(
            _revise(db, scope, carrier, HUB_LEGS, "legs"), _revise(db, scope, carrier, RECONCILIATION, "findings")
        )


def _revise(db: duckdb.DuckDBPyConnection, scope: Scope, carrier: str, table: Table, rows: str) -> Revision:
    """Replace what a carrier's partitions of a table say of parcels in scope."""
    lake = Lake(scope.lake)
    held = lake.partitions(table, lake.held(table, scope.since)).items()
    before = [file for (_, whose), files in held if whose == carrier for file in files]
    return revise(db, lake, table, rows, before, scope.concerned)
