"""The drop folder: which files of it a night is about, and how each is written."""

import datetime
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from schemas.profiles import Profile, profile_of
from schemas.rejections import Rejected
from transforms.hubs.packing import unpacked

CANONICAL = "generic"
"""The profile of Milepost's own file, which any carrier may send in place of its own."""

_HEADER = frozenset({"carrier", "tracking_number", "scan_ts", "code", "hub"})
_LONGEST = 64 * 1024

File = tuple[str, str]
"""Path of a file, and its name within the drop folder."""


def drop_files(
    drop: Path, first: datetime.date, last: datetime.date, profiles: Mapping[str, Profile]
) -> tuple[list[File], list[str]]:
    """Give the files of a drop folder for the service days from `first` to `last`, and those that no profile expects.

    Args:
        drop: the folder; each carrier has a folder in it.
        first: first service day, as the file's name tells.
        last: last service day, included.
        profiles: how carriers name and write their files.
    """
    found, strange = [], []
    for path in sorted(path for path in drop.glob("*/*") if path.is_file()):
        source = str(path.relative_to(drop))
        expected = profile_of(source, profiles)
        if expected is None:
            strange.append(source)
        elif first <= expected[1] <= last:
            found.append((str(path), source))
    return found, strange


def profile_for(file: File, profiles: Mapping[str, Profile]) -> Profile:
    """Give how a file is written: by its header if that is the canonical one, else by its carrier.

    Raises:
        Rejected: it cannot be opened, or no profile expects a file of its name.
    """
    path, source = file
    try:
        with unpacked(path) as stream:
            header = stream.readline(_LONGEST).decode("utf-8-sig", errors="replace")
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as fault:
        raise Rejected("unreadable_file", type(fault).__name__) from fault
    if {name.strip().strip('"') for name in header.split(",")} >= _HEADER:
        return profiles[CANONICAL]
    expected = profile_of(source, profiles)
    if expected is None:
        raise Rejected("unreadable_file", "no profile expects a file of this name")
    return expected[0]
