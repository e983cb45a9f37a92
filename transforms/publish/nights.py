"""Nights: several tables that change together, and the one file that says which versions of them are one night.

Delta commits one table at a time. Readers go by the file instead, which is written last: they see the old night until
then, and the new one from then on. What a killed run had committed already is taken back by the next run.
"""

import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from deltalake import DeltaTable

from schemas.night import Night
from schemas.tables import NIGHTLY
from transforms.publish.append import COMMIT
from transforms.publish.lake import NIGHT, NIGHTS, Lake

STAGING = "_staging"
"""Folder in the lake for what is not in any table yet."""


@contextmanager
def concluding(lake: Lake) -> Iterator[Path]:
    """Be the one run that changes the nightly tables; give a folder to lay things aside in.

    Raises:
        LakeError: another run is at it.
    """
    with lake.alone("nightly"):
        with lake.writing():
            # Of a killed run's workers that live on, none finds its folder, hence none can commit any more.
            shutil.rmtree(lake.path / STAGING, ignore_errors=True)
            take_back(lake)
        folder = lake.path / STAGING / uuid.uuid4().hex
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def finish(lake: Lake, night: Night) -> None:
    """Let readers see a night from now on. The lake's write lock must be held, and all its tables be committed.

    A night that is the one they see already is left as it is: it has been seen since it was finished first.
    """
    former = lake.night()
    if former.finished and msgspec.structs.replace(night, finished=former.finished) == former:
        return
    if former.versions:
        # Noted before it is replaced: a run killed between the two leaves the same night twice, which harms nobody.
        noted = lake.path / NIGHTS
        before = noted.read_bytes() if noted.exists() else b""
        _replace(noted, before + msgspec.json.encode(former) + b"\n")
    show(lake, msgspec.structs.replace(night, finished=time.time_ns() // 1000))


def show(lake: Lake, night: Night) -> None:
    """Let the last night mean other versions of the same rows. The lake's write lock must be held."""
    _replace(lake.path / NIGHT, msgspec.json.encode(night) + b"\n")


def _replace(path: Path, content: bytes) -> None:
    fresh = path.with_name(f"{path.name}.new")
    with fresh.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def take_back(lake: Lake) -> None:
    """Take back what nightly tables have beyond the last finished night. The lake's write lock must be held."""
    night = lake.night()
    versions = dict(night.versions)
    for table in NIGHTLY:
        if not DeltaTable.is_deltatable(lake.uri(table)):
            continue
        delta = DeltaTable(lake.uri(table))
        if table.name not in versions:
            shutil.rmtree(lake.uri(table))
        elif delta.version() != versions[table.name]:
            delta.restore(versions[table.name], commit_properties=COMMIT)
            versions[table.name] = DeltaTable(lake.uri(table)).version()
    if versions != night.versions:
        show(lake, msgspec.structs.replace(night, versions=versions))
