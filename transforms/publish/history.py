"""What the lake knew at some time: which night was finished, and which version each live table had."""

import json
from bisect import bisect_right
from pathlib import Path

import msgspec

from schemas.fields import Micros, to_text
from schemas.night import Night
from schemas.tables import NIGHTLY, Table
from transforms.publish.lake import NIGHTS, Lake, LakeError


def night_at(lake: Lake, moment: Micros) -> Night:
    """Give the night that readers saw at a time; an empty one where there was none.

    Raises:
        LakeError: what was noted cannot be read.
    """
    nights = [*_former(lake), lake.night()]
    # A lake from before nights were timed has one that tells no time: it is taken to have been there all along.
    return next((night for night in reversed(nights) if night.finished <= moment), Night())


def files_at(lake: Lake, table: Table, moment: Micros, night: Night) -> list[str]:
    """Give the files of a table as its readers saw it at a time; none where it was not written yet.

    Args:
        lake: where the table is.
        table: which table.
        moment: the time.
        night: the one of that time (`night_at`).

    Raises:
        LakeError: they are not kept any more.
    """
    version = night.versions.get(table.name) if table in NIGHTLY else _version_at(lake, table, moment)
    if version is None:
        return []
    gone = LakeError(
        f"What the lake at {lake.path} knew at {to_text(moment)} is not kept any more: upkeep removes what was"
        " superseded long ago (milepost maintain --keep-hours)."
    )
    try:
        delta = lake.delta(table, version)
    except LakeError as fault:
        raise gone from fault
    files = lake.files(table, delta) if delta else []
    if not all(Path(file).exists() for file in files):
        raise gone
    return files


def _former(lake: Lake) -> list[Night]:
    try:
        return msgspec.json.Decoder(Night).decode_lines((lake.path / NIGHTS).read_bytes())
    except FileNotFoundError:
        return []
    except (OSError, msgspec.DecodeError) as fault:
        raise LakeError(f"The lake at {lake.path} cannot be used: {NIGHTS} is damaged.") from fault


def _version_at(lake: Lake, table: Table, moment: Micros) -> int | None:
    """Find the newest version of a table that was committed by then.

    A commit tells its own time, in milliseconds. The time of its file, by which delta-rs goes, does not survive a copy.
    """
    log = Path(lake.uri(table), "_delta_log")
    commits = sorted(path for path in log.glob("*.json") if path.stem.isdigit())
    known = bisect_right(commits, moment // 1000, key=_committed)
    if known:
        return int(commits[known - 1].stem)
    if commits and int(commits[0].stem):
        raise LakeError(
            f"What the lake at {lake.path} knew at {to_text(moment)} is not kept any more: the log of {table.name} goes"
            f" back to {to_text(_committed(commits[0]) * 1000)}."
        )
    return None


def _committed(path: Path) -> int:
    """Give the time of a commit in milliseconds."""
    try:
        for line in path.read_bytes().splitlines():
            if b'"commitInfo"' in line:
                return int(json.loads(line)["commitInfo"]["timestamp"])
    except (OSError, ValueError, KeyError, TypeError) as fault:
        raise LakeError(f"{path} cannot be read.") from fault
    raise LakeError(f"{path} tells no time of its commit.")
