"""Maintain the lake: few large files instead of many small ones, and no files that nobody reads any more."""

from typing import NamedTuple

import msgspec
from deltalake.exceptions import DeltaError

from schemas.tables import NIGHTLY, Table
from transforms.publish.append import COMMIT, ZSTD
from transforms.publish.lake import Lake, LakeError
from transforms.publish.nights import show


class Upkeep(NamedTuple):
    """What was done to one table."""

    files_before: int
    files_after: int
    removed: int


def maintain(lake: Lake, table: Table, keep_hours: int) -> Upkeep | None:
    """Compact a table's partitions, checkpoint its log, and remove files past the retention that it does not hold.

    Readers of a snapshot go on reading its files until the retention has passed; what a killed run left behind is
    removed with the rest. None where the table was never written.

    Args:
        lake: its write lock must be held, and no night be under way.
        table: which table.
        keep_hours: hours for which superseded files stay, for readers and for time travel.

    Raises:
        LakeError: a file of the table cannot be read or written.
    """
    delta = lake.delta(table)
    if delta is None:
        return None
    before, version = len(delta.file_uris()), int(delta.version())
    try:
        delta.optimize.compact(writer_properties=ZSTD, commit_properties=COMMIT)
        _note(lake, table, version, int(delta.version()))
        delta.create_checkpoint()
        removed = delta.vacuum(retention_hours=keep_hours, dry_run=False, enforce_retention_duration=False, full=True)
        delta.cleanup_metadata()
    except DeltaError as fault:
        raise LakeError(f"The table {table.name} of the lake at {lake.path} cannot be tended: {fault}.") from fault
    return Upkeep(before, len(delta.file_uris()), len(removed))


def _note(lake: Lake, table: Table, before: int, after: int) -> None:
    """Let the last night mean the compacted version wherever it meant the one before: the rows are the same."""
    night = lake.night()
    versions, seen = dict(night.versions), dict(night.seen)
    if table in NIGHTLY:
        versions[table.name] = after
    elif seen.get(table.name) == before:
        seen[table.name] = after
    if (versions, seen) != (night.versions, night.seen):
        show(lake, msgspec.structs.replace(night, versions=versions, seen=seen))
