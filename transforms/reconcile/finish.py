"""Finish a night: everything that was written is put in place, table by table, and then shown to readers at once."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec
import pyarrow as pa

from schemas.fields import to_batch
from schemas.night import Night
from schemas.rows import HubFile
from schemas.tables import (
    ALERTS,
    EVENTS,
    HUB_FILES,
    HUB_LEGS,
    HUB_SCANS,
    NIGHTLY,
    RECONCILIATION,
    REJECTIONS,
    SHIPMENTS,
)
from transforms.hubs.stage import Staged, read_staged
from transforms.hubs.take_files import Rewritten
from transforms.publish.append import append
from transforms.publish.lake import Lake, LakeError, connect
from transforms.publish.nights import finish, take_back
from transforms.publish.partitions import commit_partitions
from transforms.publish.revise import Revision, revise
from transforms.reconcile.conclude import Concluded
from transforms.reconcile.feed import feed
from transforms.reconcile.parcels import bind_parcels, write_shipments
from transforms.reconcile.scope import Scope


def finish_night(
    scope: Scope, judged: Iterable[Staged], rewritten: Iterable[Rewritten], concluded: Iterable[Concluded]
) -> dict[str, int]:
    """Write what is left, commit every table, and show the night; give the number of rows written to each table.

    Raises:
        LakeError: another run has taken the place of this one.
    """
    lake, folder = Lake(scope.lake), Path(scope.folder)
    judged, rewritten, concluded = list(judged), list(rewritten), list(concluded)
    with connect(folder) as db:
        bind_parcels(db, scope, len(concluded))
        revisions: Mapping[str, Revision] = {
            HUB_FILES.name: _write_files(lake, folder, judged),
            HUB_SCANS.name: Revision(
                [one.written for one in rewritten if one.written], [path for one in rewritten for path in one.replaced]
            ),
            HUB_LEGS.name: _all(one.legs for one in concluded),
            RECONCILIATION.name: _all(one.findings for one in concluded),
            SHIPMENTS.name: write_shipments(db, scope),
        }
        rejected = [read_staged(staged.rejected) for staged in judged if staged.rejected]
        with lake.writing():
            if not folder.is_dir():
                raise LakeError(f"Another nightly run has taken the place of this one at {lake.path}.")
            take_back(lake)
            versions = {table.name: commit_partitions(lake, table, *revisions[table.name]) for table in NIGHTLY}
            before = _versions(lake)
            added = feed(db, scope)
            if rejected:
                added[REJECTIONS.name] = append(lake, REJECTIONS, pa.concat_tables(rejected))
            # What this night added is known to it; what the live side added meanwhile is left to the next.
            after = _versions(lake)
            seen = {name: after[name] if before.get(name) == at else at for name, at in scope.seen.items()}
            finish(lake, Night(versions, seen, scope.horizon, scope.rules))
    return added | {name: sum(one.rows for one in revision.written) for name, revision in revisions.items()}


def _versions(lake: Lake) -> dict[str, int]:
    """Give the versions of the tables by which the next night tells what is new."""
    found = {table.name: lake.delta(table) for table in (EVENTS, ALERTS)}
    return {name: int(delta.version()) for name, delta in found.items() if delta}


def _all(revisions: Iterable[Revision]) -> Revision:
    listed = list(revisions)
    return Revision(
        [one for revision in listed for one in revision.written], [path for each in listed for path in each.replaced]
    )


def _write_files(lake: Lake, folder: Path, judged: list[Staged]) -> Revision:
    """Write the rows of the files that were judged."""
    before = lake.held(HUB_FILES)
    with connect(folder) as db:
        held = db.execute(
            f"select file, epoch_us(first_scan_ts), epoch_us(last_scan_ts) from {lake.rows(HUB_FILES, before)}"
        ).fetchall()
        spans = {file: (first, last) for file, first, last in held}
        rows = [_with_span(staged.file, *spans.get(staged.file.file, (None, None))) for staged in judged]
        db.register("judged", pa.Table.from_batches([to_batch(rows, HUB_FILES.row_schema)]))
        return revise(db, lake, HUB_FILES, "judged", before, "file in (select file from judged)")


def _with_span(row: HubFile, first: int | None, last: int | None) -> HubFile:
    """Keep, for a file that is not taken, the times of what its predecessor said."""
    if row.state == "taken":
        return row
    return msgspec.structs.replace(row, first_scan_ts=first, last_scan_ts=last)
