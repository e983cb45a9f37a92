"""The lake: Delta tables of zstd Parquet in one folder, read as snapshots and written in whole commits."""

import datetime
import fcntl
import json
import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from urllib.parse import unquote

import duckdb
import msgspec
import pyarrow as pa
from deltalake import DeltaTable, Field
from deltalake.exceptions import DeltaError

from schemas.night import Night
from schemas.policy import Policy
from schemas.tables import NIGHTLY, SCHEMA_VERSION, TABLES, Table
from transforms.follow.in_sql import quoted

# delta-rs takes such a path for a pattern, or for one that is percent-encoded.
_MISREAD = re.compile(r"[\[\]]|%[0-9A-Fa-f]{2}")

MARK = "milepost.json"
"""File in the lake's folder that tells which schema wrote it."""

POLICY = "policy.json"
"""File in the lake's folder with the limits of its last live run."""

NIGHT = "night.json"
"""File in the lake's folder that tells which versions of the nightly tables are the last finished night."""

NIGHTS = "nights.jsonl"
"""File in the lake's folder with the nights before the last one, one a line: what readers saw when."""

MEMORY = "2GiB"
"""What one step of a night may hold in memory before it spills to disk."""


class LakeError(Exception):
    """A lake that cannot be used; its text is one clear sentence."""


class Lake:
    """One lake on a file system."""

    def __init__(self, path: str | Path) -> None:
        """Name the lake's folder; nothing is touched yet."""
        self.path = Path(path)

    def check(self, *, create: bool = False) -> "Lake":
        """Make sure that the folder is a lake this version can use; with `create`, make one where there is none.

        Raises:
            LakeError: no lake there, no access, or one written by a newer Milepost.
        """
        if _MISREAD.search(str(self.path)):
            raise LakeError(f"A lake cannot be at {self.path}: its path must not have [, ] or a % before two digits.")
        mark = self.path / MARK
        try:
            if create:
                self.path.mkdir(parents=True, exist_ok=True)
                if not mark.exists():
                    self._sign()
            if not self.path.is_dir() or not mark.exists():
                raise LakeError(f"There is no lake at {self.path}.")
            version = json.loads(mark.read_text(encoding="utf-8"))["schema"]
        except (OSError, ValueError, KeyError, TypeError) as fault:
            why = getattr(fault, "strerror", None) or f"{MARK} is damaged"
            raise LakeError(f"The lake at {self.path} cannot be used: {why}.") from fault
        if not isinstance(version, int) or version > SCHEMA_VERSION:
            raise LakeError(
                f"The lake at {self.path} was written by a newer Milepost (schema {version}, this one knows"
                f" {SCHEMA_VERSION}); please upgrade."
            )
        for table in TABLES.values():
            self.delta(table)
        if create and version < SCHEMA_VERSION:
            try:
                self._upgrade()
            except (DeltaError, OSError) as fault:
                raise LakeError(f"The lake at {self.path} cannot be brought to this schema.") from fault
        return self

    def _upgrade(self) -> None:
        """Add the columns that came since a lake was made; an older Milepost stays away from it from now on."""
        with self.writing():
            for table in TABLES.values():
                delta = self.delta(table) if table.later else None
                if delta is not None:
                    held = {field.name for field in delta.schema().fields}
                    lacking = [Field.from_arrow(table.schema.field(name)) for name in table.later if name not in held]
                    if lacking:
                        delta.alter.add_columns(lacking)
            self._sign()

    def _sign(self) -> None:
        """Note the schema by which the lake is written."""
        fresh = self.path / f"{MARK}.new"
        fresh.write_text(json.dumps({"schema": SCHEMA_VERSION}) + "\n", encoding="utf-8")
        fresh.replace(self.path / MARK)

    def remember(self, policy: Policy) -> None:
        """Note the policy that the lake's alerts follow, for those who read them."""
        fresh = self.path / f"{POLICY}.new"
        fresh.write_bytes(msgspec.json.encode(policy, enc_hook=int))
        fresh.replace(self.path / POLICY)

    def policy(self) -> Policy:
        """Give the policy that the lake's alerts follow; the default one where none was noted.

        Raises:
            LakeError: what was noted cannot be read.
        """
        try:
            noted = (self.path / POLICY).read_bytes()
            return msgspec.json.decode(noted, type=Policy, dec_hook=lambda kind, value: kind(value))
        except FileNotFoundError:
            return Policy()
        except (OSError, msgspec.DecodeError) as fault:
            raise LakeError(f"The lake at {self.path} cannot be used: {POLICY} is damaged.") from fault

    def night(self) -> Night:
        """Give the last finished night; an empty one where there was none.

        Raises:
            LakeError: what was noted cannot be read.
        """
        try:
            return msgspec.json.decode((self.path / NIGHT).read_bytes(), type=Night)
        except FileNotFoundError:
            return Night()
        except (OSError, msgspec.DecodeError) as fault:
            raise LakeError(f"The lake at {self.path} cannot be used: {NIGHT} is damaged.") from fault

    def uri(self, table: Table) -> str:
        """Give the place of a table."""
        return str(self.path / table.name)

    def delta(self, table: Table, version: int | None = None, night: Night | None = None) -> DeltaTable | None:
        """Open a table as its readers see it, or at an older version; None where it was never written.

        That is the newest version, or, of a table that nights replace, the one of the last finished night: several
        such tables that are to be of one night are opened with that night.

        Raises:
            LakeError: the table cannot be read, or its columns are not those that this Milepost knows.
        """
        uri = self.uri(table)
        if version is None and table in NIGHTLY:
            version = (night or self.night()).versions.get(table.name)
            if version is None:
                return None
        try:
            if not DeltaTable.is_deltatable(uri):
                return None
            delta = DeltaTable(uri, version=version)
            found = pa.schema(delta.schema().to_arrow())
        except (DeltaError, OSError) as fault:
            raise LakeError(f"The table {table.name} of the lake at {self.path} cannot be read.") from fault
        self._check_columns(table, found)
        return delta

    def _check_columns(self, table: Table, found: pa.Schema) -> None:
        unknown = [name for name in found.names if name not in table.schema.names]
        if unknown:
            raise LakeError(
                f"The table {table.name} of the lake at {self.path} has columns that this Milepost does not know"
                f" ({', '.join(unknown)}): it was written by a newer one; please upgrade."
            )
        for field in table.schema:
            if field.name in table.later and field.name not in found.names:
                continue
            if field.name not in found.names or not _alike(found.field(field.name).type, field.type):
                raise LakeError(
                    f"The table {table.name} of the lake at {self.path} has no column {field.name} ({field.type})."
                )

    def files(self, table: Table, delta: DeltaTable, days: Collection[str] | None = None) -> list[str]:
        """Give the files of a table's snapshot as plain paths; with `days`, those of these partitions alone."""
        only = None if days is None else [(table.day, "in", sorted(days))]
        # delta-rs gives the lake's own path percent-encoded, and the partitions' names as they are on disk.
        root = len(delta.table_uri.removeprefix("file://").rstrip("/"))
        uris = delta.file_uris(file_pruning_predicate=only)
        return [self.uri(table) + uri.removeprefix("file://")[root:] for uri in uris]

    def held(self, table: Table, since: datetime.date | None = None, *, night: Night | None = None) -> list[str]:
        """Give the files of a table as its readers see it, none if it was never written; see `delta` and `from_day`."""
        delta = self.delta(table, night=night)
        files = self.files(table, delta) if delta else []
        return self.from_day(table, files, since) if since else files

    def from_day(self, table: Table, files: Iterable[str], since: datetime.date) -> list[str]:
        """Give those files of a table that are of a day or a later one."""
        held = self.partitions(table, files).items()
        return [file for (day, *_), some in held if day >= since.isoformat() for file in some]

    def partitions(self, table: Table, files: Iterable[str]) -> dict[tuple[str, ...], list[str]]:
        """Give files of a table by the values of its partition columns."""
        found: dict[tuple[str, ...], list[str]] = {}
        for file in files:
            parts = Path(file).relative_to(self.uri(table)).parts[: len(table.partition)]
            found.setdefault(tuple(unquote(part.partition("=")[2]) for part in parts), []).append(file)
        return found

    def rows(self, table: Table, files: list[str] | None = None) -> str:
        """Give the SQL of a table's rows in one snapshot: a pinned file list, never a glob.

        Args:
            table: which table.
            files: only these files of it; default all of its newest snapshot.
        """
        if files is None:
            files = self.held(table)
        if not files:
            columns = ", ".join(f"null::{_sql_type(field.type)} as {field.name}" for field in table.schema)
            return f"(select {columns} where false)"
        listed = ", ".join(map(quoted, files))
        typed = ", ".join(f"'{name}': {_sql_type(table.schema.field(name).type)}" for name in table.partition)
        names = ", ".join(table.schema.names)
        found = f"read_parquet([{listed}], hive_partitioning=true, hive_types={{{typed}}}"
        if not table.later:
            return f"(select {names} from {found}))"
        null = ", ".join(f"null::{_sql_type(table.schema.field(name).type)} as {name}" for name in table.later)
        return f"(select {names} from (from {found}, union_by_name=true) union all by name select {null} where false))"

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the lake's write lock: looking for keys and adding rows must not interleave with another writer's."""
        with (self.path / "milepost.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def following(self) -> AbstractContextManager[None]:
        """Be the one live run of the lake: two that do not know of each other would judge parcels by half their events.

        Raises:
            LakeError: another run is at it.
        """
        return self.alone("live")

    @contextmanager
    def alone(self, kind: str) -> Iterator[None]:
        """Be the one run of a kind, `live` or `nightly`, for as long as the context lasts.

        Raises:
            LakeError: another run is at it.
        """
        with (self.path / f"{kind}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as fault:
                raise LakeError(
                    f"Another {kind} run is writing to the lake at {self.path}; wait for it to end."
                ) from fault
            yield


def connect(spill: Path | None = None) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB in memory that speaks UTC and shows no progress bar.

    Args:
        spill: folder for what does not fit into `MEMORY`; without one, memory is not bounded.
    """
    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'; set enable_progress_bar = false")
    if spill is not None:
        connection.execute(f"set memory_limit = '{MEMORY}'; set preserve_insertion_order = false")
        connection.execute(f"set temp_directory = {quoted(str(spill))}")
    return connection


def _sql_type(kind: pa.DataType) -> str:
    if pa.types.is_list(kind):
        return _sql_type(kind.value_type) + "[]"
    if pa.types.is_timestamp(kind):
        return "timestamptz"
    return {
        pa.string(): "varchar", pa.binary(): "blob", pa.int64(): "bigint", pa.float64(): "double",
        pa.bool_(): "boolean", pa.date32(): "date",
    }[kind]  # fmt: skip


def _alike(one: pa.DataType, other: pa.DataType) -> bool:
    return _sql_type(one) == _sql_type(other) if _known(one) else False


def _known(kind: pa.DataType) -> bool:
    try:
        _sql_type(kind)
    except KeyError:
        return False
    return True
