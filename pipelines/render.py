"""Show an answer: as a table for people, as JSON or CSV for programs, as one page of HTML for everybody else.

Programs get every number as it is; people get it rounded.
"""

import csv
import datetime
import io
import json
import math
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import jinja2
import pyarrow as pa
from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines.errors import UsageError

FORMATS = ("table", "json", "csv", "html")

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""Signs by which a spreadsheet tells a formula from text."""

_PADDING = 2


@dataclass(frozen=True)
class Answer:
    """Rows to show, and what to say of them on a page.

    Attributes:
        rows: the rows; values as DuckDB gives them through Arrow.
        title: what it is about, in a few words.
        scope: which rows were chosen, and as of when.
        glossary: what a column means, by its name.
        note: one line to be told with the rows wherever they are shown; a page has it in its scope.
    """

    rows: pa.Table
    title: str = "Query"
    scope: str = ""
    glossary: Mapping[str, str] = field(default_factory=dict)
    note: str = ""

    def columns(self) -> list[str]:
        """Give the names of the columns; a repeated one gets a number, so that no object loses a value."""
        names: list[str] = []
        for name in self.rows.column_names:
            unique, count = name, 1
            while unique in names:
                count += 1
                unique = f"{name}_{count}"
            names.append(unique)
        return names

    def values(self) -> list[list[Any]]:
        """Give the rows as plain values (see `plain`)."""
        columns = [list(map(plain, _read(column))) for column in self.rows.columns]
        return [list(row) for row in zip(*columns, strict=True)]


def show(answer: Answer, form: str, out: Path | None = None) -> None:
    """Write an answer to a file, whole or not at all, or else to standard output.

    Args:
        answer: what to show.
        form: one of FORMATS.
        out: the file; an older one is replaced.

    Raises:
        UsageError: the file cannot be written.
    """
    if out is not None:
        write_whole(out, RENDERERS[form](answer))
    elif form == "table" and (screen := Console(highlight=False)).is_terminal:
        for table in _fit(answer, screen.width):
            screen.print(table)
        screen.print(_count(answer), style="dim")
        if answer.note:
            screen.print(answer.note, style="dim")
    else:
        sys.stdout.write(RENDERERS[form](answer))
    if answer.note and form in ("json", "csv"):
        # Programs read the rows; the line is for those who run them.
        print(answer.note, file=sys.stderr)


def as_table(answer: Answer) -> str:
    """Give plain text, one line a row, as wide as it takes: what is piped must not be cut."""
    sink = io.StringIO()
    cells = _cells(answer)
    width = sum(_widths(answer, cells)) + _PADDING * len(answer.columns())
    console = Console(file=sink, width=max(width, 1), force_terminal=False, no_color=True, highlight=False)
    console.print(_table(answer, cells, box=None))
    lines = [*sink.getvalue().splitlines(), *([answer.note] if answer.note else [])]
    return "".join(f"{line.rstrip()}\n" for line in lines)


def as_json(answer: Answer) -> str:
    """Give a list of objects, one a row. Times are RFC 3339; what is no number is null."""
    names = answer.columns()
    return to_json([dict(zip(names, row, strict=True)) for row in answer.values()])


def to_json(objects: Sequence[Mapping[str, Any]]) -> str:
    """Give plain values as JSON text that ends with a line feed."""
    return json.dumps(objects, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def as_csv(answer: Answer) -> str:
    """Give comma-separated values after one line of names. No text can turn into a formula in a spreadsheet."""
    lines = _Lines()
    writer = csv.writer(lines)
    writer.writerow(map(harmless, answer.columns()))
    writer.writerows([_csv_cell(value) for value in row] for row in answer.values())
    return "".join(lines.written)


def harmless(text: str) -> str:
    """Quote text that a spreadsheet would take for a formula.

    >>> harmless("=1+1"), harmless("1+1")
    ("'=1+1", '1+1')
    """
    return f"'{text}" if text.startswith(FORMULA) else text


def as_html(answer: Answer) -> str:
    """Give one page that needs nothing else: no script, no network."""
    return page("report.html", answer=answer, table=table_of(answer), count=_count(answer))


def page(template: str, **values: Any) -> str:  # noqa: ANN401
    """Fill one of the templates; all text is escaped but what is marked up already."""
    loader = jinja2.FileSystemLoader(Path(__file__).parent / "templates")
    pages = jinja2.Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    return pages.get_template(template).render(**values) + "\n"


def table_of(answer: Answer) -> dict[str, Any]:
    """Give an answer as the template `table.html` shows it."""
    names, numbers = answer.columns(), list(map(_holds_numbers, answer.rows.schema.types))
    rows = [
        [
            {"name": name, "text": for_people(value), "number": number, "share": _share(name, value)}
            for name, number, value in zip(names, numbers, row, strict=True)
        ]
        for row in answer.values()
    ]
    return {"columns": list(zip(names, numbers, strict=True)), "rows": rows, "glossary": answer.glossary}


RENDERERS: Mapping[str, Callable[[Answer], str]] = {
    "table": as_table,
    "json": as_json,
    "csv": as_csv,
    "html": as_html,
}


def plain(value: Any) -> Any:  # noqa: ANN401
    """Give any value that DuckDB can as JSON knows it: text, numbers, booleans, null, lists and objects of these."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case datetime.datetime():
            return value.isoformat().replace("+00:00", "Z")
        case datetime.date() | datetime.time():
            return value.isoformat()
        case bytes():
            return value.decode("utf-8", "replace")
        case pa.MonthDayNano():
            return _interval(*value)
        case list() | tuple():
            return [plain(part) for part in value]
        case dict():
            return {str(name): plain(part) for name, part in value.items()}
        case None | bool() | int() | str():
            return value
        case _:
            return str(value)


def for_people(value: Any) -> str:  # noqa: ANN401
    """Give a plain value as short text on one line: numbers rounded, control characters made visible.

    >>> for_people(96.6666), for_people(0.00123), for_people(None)
    ('96.67', '0.00123', '')
    """
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case float():
            return f"{value:.3g}" if 0 < abs(value) < 0.01 else f"{value:.2f}"
        case list() | dict():
            return for_people(json.dumps(value, ensure_ascii=False))
        case _:
            # A carrier's text must not be able to steer a terminal.
            return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(value))


def write_whole(out: Path, text: str) -> None:
    """Write a file in one step: readers see the old one or the new one. A device or a pipe is written to as it is.

    Raises:
        UsageError: it cannot be written.
    """
    fresh = None
    try:
        if out.exists() and not out.is_file():
            # Not replaced: a file in the place of /dev/null would be everybody's trouble.
            out.write_text(text, encoding="utf-8", newline="")
            return
        # Of a link, what it points to is replaced.
        out = out.resolve()
        handle, fresh = tempfile.mkstemp(prefix=f".{out.name}.", dir=out.parent)
        with open(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        # Temporary files are private; a report is as readable as any file its user makes.
        os.chmod(fresh, 0o666 & ~_umask())
        os.replace(fresh, out)
    except OSError as fault:
        if fresh is not None:
            with suppress(OSError):
                os.unlink(fresh)
        raise UsageError(f"{out} cannot be written: {fault.strerror}.") from fault


def _read(column: pa.ChunkedArray) -> list[Any]:
    try:
        return list(column.to_pylist())
    except (ValueError, OverflowError):  # A time that Python cannot hold: infinity, or one of nanoseconds.
        pass
    try:
        return list(column.cast(pa.string()).to_pylist())
    except pa.ArrowException as fault:
        raise UsageError("A column holds times that cannot be shown; cast it to varchar.") from fault


def _interval(months: int, days: int, nanoseconds: int) -> str:
    """Give an interval as text, such as '1 month 2 days 03:00:00'; its parts do not convert into one another."""
    seconds, rest = divmod(abs(nanoseconds), 1_000_000_000)
    clock = f"{'-' if nanoseconds < 0 else ''}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    fraction = f".{rest // 1000:06}" if rest else ""
    spans = [
        f"{count} {name}{'' if abs(count) == 1 else 's'}" for count, name in ((months, "month"), (days, "day")) if count
    ]
    return " ".join([*spans, clock + fraction] if nanoseconds or not spans else spans)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


class _Lines:
    """Lines of CSV. The writer ends them by CR LF, so that it quotes either in a cell; the file's lines end by LF."""

    def __init__(self) -> None:
        self.written: list[str] = []

    def write(self, line: str) -> None:
        self.written.append(line.removesuffix("\r\n") + "\n")


def _csv_cell(value: Any) -> Any:  # noqa: ANN401
    match value:
        case str():
            return harmless(value)
        case bool():
            return str(value).lower()
        case list() | dict():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return value


def _cells(answer: Answer) -> list[list[str]]:
    return [[for_people(value) for value in row] for row in answer.values()]


def _widths(answer: Answer, cells: Sequence[Sequence[str]]) -> list[int]:
    columns = zip(answer.columns(), *cells, strict=True)
    return [max(map(cell_len, column)) for column in columns]


def _table(answer: Answer, cells: Sequence[Sequence[str]], box: Any = SIMPLE_HEAD) -> Table:  # noqa: ANN401
    table = Table(box=box, pad_edge=False, padding=(0, _PADDING, 0, 0), header_style="bold")
    for name, kind in zip(answer.columns(), answer.rows.schema.types, strict=True):
        justify: Literal["left", "right"] = "right" if _holds_numbers(kind) else "left"
        table.add_column(Text(for_people(name)), justify=justify, no_wrap=True)
    for row in cells:
        # Text, not str: square brackets in the data are no markup.
        table.add_row(*map(Text, row))
    return table


def _fit(answer: Answer, width: int) -> list[Table]:
    """Lay the rows out for a screen: as they are if they fit, else sideways, as many at a time as fit."""
    cells = _cells(answer)
    if sum(_widths(answer, cells)) + (_PADDING + 1) * len(answer.columns()) <= width or not cells:
        return [_table(answer, cells)]
    names = max(map(cell_len, answer.columns()))
    sizes = [max(map(cell_len, row)) + _PADDING + 1 for row in cells]
    tables, at = [], 0
    while at < len(cells):
        used, until = names + _PADDING + sizes[at], at + 1
        while until < len(cells) and used + sizes[until] <= width:
            used, until = used + sizes[until], until + 1
        tables.append(_sideways(answer.columns(), cells[at:until]))
        at = until
    return tables


def _sideways(names: Sequence[str], cells: Sequence[Sequence[str]]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, _PADDING, 0, 0), show_header=False)
    table.add_column(style="bold", no_wrap=True)
    for _ in cells:
        table.add_column(overflow="fold")
    for name, *column in zip(names, *cells, strict=True):
        table.add_row(Text(for_people(name)), *map(Text, column))
    return table


def _count(answer: Answer) -> str:
    return "1 row" if answer.rows.num_rows == 1 else f"{answer.rows.num_rows} rows"


def _holds_numbers(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _share(name: str, value: Any) -> float | None:  # noqa: ANN401
    """Give the length of a rate's bar in percent; None for what is no rate."""
    return min(max(float(value), 0.0), 100.0) if name.endswith("_pct") and isinstance(value, int | float) else None
