"""Read a carrier's bulk file of hub scans: columnar from the first byte, bad rows set aside."""

import time
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as csv

from schemas.fields import SECOND, to_batch
from schemas.rejections import Rejected, rejection
from schemas.rows import Rejection
from schemas.stages import CARRIER_STAGES
from schemas.tables import HUB_SCANS, REJECTIONS
from transforms.ingest.validate import EARLIEST, LATEST_PROMISE
from transforms.publish.lake import connect

COLUMNS = ("carrier", "tracking_number", "scan_ts", "code", "hub")
"""Header of the canonical file. `scan_ts` is RFC 3339 with a zone; `code` is the stage's name."""

# The first fault found names the rejection.
_FAULTS = """case
    when carrier = '' or tracking_number = '' or scan_ts = '' or code = '' or hub = '' then 'missing_field'
    when length(tracking_number) > 256 or length(hub) > 256 then 'invalid_value'
    when not regexp_full_match(carrier, '[A-Za-z0-9][A-Za-z0-9 _.&-]{0,63}') or contains(carrier, '..')
        then 'invalid_carrier'
    when code not in (select unnest($stages)) then 'unknown_stage'
    when try_cast(scan_ts as timestamptz) is null then 'invalid_timestamp'
    when not regexp_matches(scan_ts, '(Z|[+-][0-9]{2}:?[0-9]{2})$') then 'naive_timestamp'
    when epoch_us(scan_ts::timestamptz) not between $earliest and $latest then 'absurd_timestamp'
end"""


def read_scans(path: str, source: str) -> tuple[pa.Table, pa.RecordBatch]:
    """Read one canonical file, plain or gzip.

    Args:
        path: where the file is.
        source: how it is named in the lake.

    Returns:
        The scans, as rows of `HubScan`, and the rejections.

    Raises:
        Rejected: the file as a whole is none: its header is wrong, or it breaks off inside its packing.
    """
    now = int(time.time() * SECOND)
    rejected: list[Rejection] = []

    def set_aside(row: csv.InvalidRow) -> str:
        fault = Rejected("malformed_row", f"{row.actual_columns} fields, not {row.expected_columns}")
        rejected.append(rejection(fault, (row.text or "").encode(), source, row.number or 0, now))
        return "skip"

    try:
        raw = csv.read_csv(
            path,
            # One thread: with more, the reader cannot tell the number of a bad row's line.
            csv.ReadOptions(use_threads=False),
            csv.ParseOptions(invalid_row_handler=set_aside),
            csv.ConvertOptions(column_types=dict.fromkeys(COLUMNS, pa.string()), strings_can_be_null=False),
        )
    except (pa.ArrowInvalid, OSError) as fault:
        raise Rejected("unreadable_file", str(fault).split("\n")[0]) from fault
    if raw.column_names != list(COLUMNS):
        raise Rejected("wrong_header", ", ".join(raw.column_names)[:200])
    numbered = raw.append_column("line", pa.array(range(2, raw.num_rows + 2), pa.int64()))
    good, bad = _judge(numbered, source)
    rejected += [rejection(Rejected(reason), ",".join(text).encode(), source, line, now) for reason, line, *text in bad]
    return good, to_batch(rejected, REJECTIONS.row_schema)


def _judge(raw: pa.Table, source: str) -> tuple[pa.Table, list[tuple[str, int, str]]]:
    """Part the good rows, in the table's own form, from the bad ones with the reason and the line."""
    parameters = {"stages": sorted(CARRIER_STAGES), "earliest": EARLIEST, "latest": LATEST_PROMISE}
    with connect() as db:
        db.register("raw", raw)
        db.execute(f"create temp table judged as select *, {_FAULTS} as fault from raw", parameters)
        bad = db.execute(f"select fault, line, {', '.join(COLUMNS)} from judged where fault is not null").fetchall()
        good = db.sql(
            """select carrier, tracking_number, scan_ts::timestamptz as scan_ts, code, hub, code as stage,
                $source as source from judged where fault is null""",
            params={"source": source},
        ).to_arrow_table()
    return good.cast(HUB_SCANS.row_schema), bad


def drop_files(drop: Path, first: str, last: str) -> list[tuple[str, str]]:
    """Give the files of a drop folder, `<carrier>/<date>.csv[.gz]`, whose date is from `first` to `last`.

    Returns:
        Path and name within the folder, in order of name.
    """
    found = []
    for path in sorted(drop.glob("*/*")):
        name = path.name.removesuffix(".gz")
        if path.is_file() and name.endswith(".csv") and first <= name.removesuffix(".csv") <= last:
            found.append((str(path), str(path.relative_to(drop))))
    return found
