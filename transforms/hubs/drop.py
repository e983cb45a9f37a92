"""The drop folder: which files of it a night is about, how each is written, and which of them are news.

A file is known by its place, its name without a revision (`.v2`) and without what it is packed in. A file that comes to
the same place corrects what was there, whatever it is called; one whose bytes were judged before is not read again.
"""

import datetime
import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, Optional

import msgspec

from schemas.fields import Micros
from schemas.profiles import CANONICAL, Profile, profile_of
from schemas.rejections import Rejected
from transforms.hubs.packing import DAMAGED, unpacked

_HEADER = frozenset({"carrier", "tracking_number", "scan_ts", "code", "hub"})
_LONGEST = 64 * 1024
_REVISED = re.compile(r"(?P<name>.*?)(?:\.v(?P<revision>\d{1,9}))?(?P<end>\.csv)(?:\.gz|\.zip)?")


class File(NamedTuple):
    """A file in the drop folder.

    Attributes:
        path: where it is.
        name: its name within the drop folder.
        place: its name without revision and packing.
        revision: which correction it is; 0 for a first one.
        day: the service day in its name.
        content: hash of its bytes and of the profile that it is read by; empty where it could not be read.
        left: its size and when it was left, as it was hashed.
    """

    path: str
    name: str
    place: str
    revision: int
    day: datetime.date
    content: str = ""
    left: Optional[tuple[int, Micros]] = None


def place_of(name: str) -> tuple[str, int]:
    """Give the place and the revision of a file's name.

    >>> place_of("ups/2026-03-01.v2.csv.gz"), place_of("ups/2026-03-01.csv")
    (('ups/2026-03-01.csv', 2), ('ups/2026-03-01.csv', 0))
    """
    match = _REVISED.fullmatch(name)
    return (match["name"] + match["end"], int(match["revision"] or 0)) if match else (name, 0)


def drop_files(
    drop: Path, first: datetime.date, last: datetime.date, profiles: Mapping[str, Profile]
) -> tuple[list[File], list[str]]:
    """Give the files of a drop folder for the service days from `first` to `last`, and those that no profile expects.

    Of several files of one place only the last revision is given; of equal revisions the one that was left last.

    Args:
        drop: the folder; each carrier has a folder in it.
        first: first service day, as the file's name tells.
        last: last service day, included.
        profiles: how carriers name and write their files.
    """
    found: dict[str, tuple[tuple[int, int, str], File]] = {}
    strange = []
    for path in sorted(path for path in drop.glob("*/*") if path.is_file()):
        name = str(path.relative_to(drop))
        place, revision = place_of(name)
        # A name must be text, and stand in a list of names that `|` joins.
        expected = profile_of(place, profiles) if name.isprintable() and "|" not in name else None
        if expected is None:
            strange.append(name)
        elif first <= expected[1] <= last:
            rank = revision, path.stat().st_mtime_ns, name
            if place not in found or found[place][0] < rank:
                found[place] = rank, File(str(path), name, place, revision, expected[1])
    return [file for _, file in found.values()], strange


def news(files: Iterable[File], seen: Mapping[str, tuple[str, str]], profiles: Mapping[str, Profile]) -> list[File]:
    """Give the files that were not judged before, each with its content's hash.

    Args:
        files: of the drop folder.
        seen: name and content of the file that was judged last, by place.
        profiles: how carriers write their files; under another profile a file is news again.
    """
    fresh = []
    for file in files:
        name, content = seen.get(file.place, ("", ""))
        if name and place_of(name)[1] > file.revision:
            continue
        file = file._replace(left=left(file))
        file = file._replace(content=_content(file, profiles))
        if not content or file.content != content:
            fresh.append(file)
    return fresh


def left(file: File) -> tuple[int, Micros]:
    """Give a file's size and when it was left; zeros where it has gone meanwhile."""
    try:
        found = os.stat(file.path)
    except FileNotFoundError:
        return 0, 0
    return found.st_size, found.st_mtime_ns // 1000


def profile_for(file: File, profiles: Mapping[str, Profile]) -> Profile:
    """Give how a file is written: by its header if that is the canonical one, else by its carrier.

    Raises:
        Rejected: it cannot be opened, or no profile expects a file of its name.
    """
    try:
        with unpacked(file.path) as stream:
            header = stream.readline(_LONGEST).decode("utf-8-sig", errors="replace")
    except DAMAGED as fault:
        raise Rejected("unreadable_file", type(fault).__name__) from fault
    if {name.strip().strip('"') for name in header.split(",")} >= _HEADER:
        return profiles[CANONICAL]
    expected = profile_of(file.place, profiles)
    if expected is None:
        raise Rejected("unreadable_file", "no profile expects a file of this name")
    return expected[0]


def _content(file: File, profiles: Mapping[str, Profile]) -> str:
    try:
        with open(file.path, "rb") as opened:
            found = hashlib.file_digest(opened, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError:
        return ""
    try:
        rules = hashlib.blake2b(msgspec.json.encode(profile_for(file, profiles)), digest_size=6).hexdigest()
    except Rejected:
        # By no profile can it be opened.
        rules = ""
    return f"{found}-{rules}"
