"""The folder of a simulation: made aside and moved into place whole, never over anything else."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

MANIFEST = "manifest.json"
_ENTRIES = frozenset({MANIFEST, "events.jsonl", "hub_scans", "truth"})
_MADE_BY = "milepost simulate"


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """Give a folder to write to, which takes the place of `out` when all went well.

    Raises:
        ValueError: `out` holds something other than an earlier simulation.
    """
    out = out.resolve()
    _check(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as aside:
        fresh, former = Path(aside, "fresh"), Path(aside, "former")
        fresh.mkdir()
        yield fresh
        _check(out)
        if out.exists():
            out.rename(former)
        fresh.rename(out)


def _check(out: Path) -> None:
    if not out.exists():
        return
    if not out.is_dir():
        raise ValueError(f"{out} is a file, not a folder to simulate into.")
    entries = {entry.name for entry in out.iterdir()}
    if entries and not _made_here(out / MANIFEST):
        raise ValueError(f"{out} is not empty and holds no earlier simulation; name a new folder.")
    others = sorted(entries - _ENTRIES)
    if others:
        raise ValueError(f"{out} holds {others[0]} beside an earlier simulation; move that away, or name a new folder.")


def _made_here(manifest: Path) -> bool:
    try:
        written = json.loads(manifest.read_bytes())
    except (OSError, ValueError):
        return False
    return isinstance(written, dict) and written.get("made_by") == _MADE_BY


def write_tables(folder: Path, tables: Mapping[str, pa.Table]) -> None:
    """Write each table to a Parquet file of its name."""
    folder.mkdir()
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet", compression="zstd")


def write_manifest(folder: Path, manifest: Mapping[str, object]) -> None:
    """Write the manifest, by which a folder is known as a simulation."""
    text = json.dumps({"made_by": _MADE_BY, **manifest}, indent=2)
    (folder / MANIFEST).write_text(f"{text}\n", encoding="utf-8")
