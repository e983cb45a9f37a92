"""Maintain the lake: few large files instead of many small ones, and no files that nobody reads any more."""

from typing import NamedTuple

from schemas.tables import Table
from transforms.publish.append import COMMIT, ZSTD
from transforms.publish.lake import Lake


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
        lake: its write lock must be held.
        table: which table.
        keep_hours: hours for which superseded files stay, for readers and for time travel.
    """
    delta = lake.delta(table)
    if delta is None:
        return None
    before = len(delta.file_uris())
    delta.optimize.compact(writer_properties=ZSTD, commit_properties=COMMIT)
    delta.create_checkpoint()
    removed = delta.vacuum(retention_hours=keep_hours, dry_run=False, enforce_retention_duration=False, full=True)
    delta.cleanup_metadata()
    return Upkeep(before, len(delta.file_uris()), len(removed))
