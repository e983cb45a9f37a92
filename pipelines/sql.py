"""The command `sql`: ask the lake anything. Every table and view is bound; nothing can be written."""

import argparse
import dataclasses
import re
import sys
from collections.abc import Iterable, Iterator

import duckdb
import pyarrow as pa

from pipelines.errors import QueryError, UsageError
from pipelines.query import first_line, open_lake
from pipelines.render import FORMATS, Answer, show
from pipelines.report import add_horizon, time_told, travels

_QUIET = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\$\$.*?\$\$|--[^\n]*|/\*.*?\*/""", re.DOTALL)
"""What may hold a semicolon that ends nothing: text, quoted names, comments."""
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_OPEN = re.compile(r"""['"]|\$\$|/\*""")
_EXPLAIN = re.compile(r"\s*explain\b(?:\s+analyze\b)?(?:\s*\([^)]*\))?", re.IGNORECASE)
_ASKS = (duckdb.StatementType.SELECT, duckdb.StatementType.MULTI)
"""MULTI is what PIVOT becomes."""


def answer(db: duckdb.DuckDBPyConnection, query: str) -> Answer:
    """Answer one query.

    Raises:
        QueryError: it is wrong, is not one query, or would do something other than ask.
    """
    try:
        found = db.extract_statements(query)
        if len(found) != 1:
            raise QueryError(f"One query is wanted, not {len(found)}.")
        if not _only_asks(db, found[0]):
            raise QueryError("The lake can only be asked: SELECT, FROM, WITH, DESCRIBE, SUMMARIZE, EXPLAIN.")
        rows = db.sql(query).to_arrow_table()
    except (duckdb.Error, pa.ArrowException) as fault:
        raise QueryError(f"{first_line(fault)}.") from fault
    if found[0].type == duckdb.StatementType.EXPLAIN:
        # A plan is a drawing: one row a line keeps it whole.
        rows = pa.table({"plan": [line for plan in rows.columns[-1].to_pylist() for line in plan.splitlines()]})
    return Answer(rows)


def statements(lines: Iterable[str]) -> Iterator[str]:
    r"""Split lines into statements, each up to a semicolon or the end of it all; empty ones are left out.

    >>> list(statements(["select 1; select ';\n", "'; -- done;\n"]))
    ['select 1;', " select ';\n';"]
    """
    begun = ""
    for line in lines:
        begun += line
        while (end := _end(begun)) is not None:
            if _says_something(begun[:end]):
                yield begun[:end]
            begun = begun[end:]
    if _says_something(begun):
        yield begun


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `sql` to the command line."""
    parser = commands.add_parser("sql", help="ask the lake anything in SQL")
    parser.add_argument("--lake", required=True, metavar="DIR", help="the lake's folder")
    add_horizon(parser)
    parser.add_argument("--format", choices=FORMATS, default="table", help="default: table")
    parser.add_argument("query", nargs="?", metavar="QUERY", help="without it, queries are read, each ended by ;")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    if arguments.query is not None and not _says_something(arguments.query):
        raise UsageError("The query is empty.")
    with open_lake(arguments.lake, arguments.horizon, as_of=arguments.as_of) as db:
        note = time_told(db, arguments.as_of) if travels(arguments.horizon, arguments.as_of) else ""
        if arguments.query is not None:
            show(dataclasses.replace(answer(db, arguments.query), note=note), arguments.format)
        elif sys.stdin.isatty():
            _converse(db, arguments.format)
        else:
            for query in statements(_piped()):
                show(dataclasses.replace(answer(db, query), note=note), arguments.format)
    return 0


def _converse(db: duckdb.DuckDBPyConnection, form: str) -> None:
    """Answer what is typed, until the end of input; a wrong query is told and forgotten."""
    names = bound_names(db)
    _complete_names(names)
    print(f"Tables and views: {', '.join(names)}. End a query with ; and leave with Ctrl-D.")
    for query in statements(_typed()):
        try:
            show(answer(db, query), form)
        except (QueryError, UsageError) as fault:
            print(fault, file=sys.stderr)


def bound_names(db: duckdb.DuckDBPyConnection) -> list[str]:
    """Give the names of all tables and views."""
    return [name for (name,) in db.sql("select name from (show tables) order by name").fetchall()]


def _piped() -> Iterator[str]:
    try:
        for line in sys.stdin:
            # By some locales what is no text comes as halves of characters.
            line.encode()
            yield line
    except UnicodeError as fault:
        raise QueryError("What comes by standard input is no UTF-8.") from fault


def _typed() -> Iterator[str]:
    while True:
        try:
            yield input("milepost> ") + "\n"
        except EOFError:
            print()
            return


def _complete_names(names: list[str]) -> None:
    try:
        import readline
    except ImportError:  # No such thing on this system: typing works without it.
        return

    def complete(begun: str, state: int) -> str | None:
        fitting = [name for name in names if name.startswith(begun)]
        return fitting[state] if state < len(fitting) else None

    readline.set_completer(complete)
    readline.parse_and_bind("tab: complete")


def _end(text: str) -> int | None:
    """Give where the first statement ends, behind its semicolon; None while it is not complete."""
    bare = _QUIET.sub(_blank, text)
    end, still_open = bare.find(";"), _OPEN.search(bare)
    return None if end < 0 or (still_open and still_open.start() < end) else end + 1


def _says_something(text: str) -> bool:
    return bool(_COMMENT.sub("", text).strip("; \t\r\n"))


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])


def _only_asks(db: duckdb.DuckDBPyConnection, statement: duckdb.Statement) -> bool:
    """Say whether a statement only asks. EXPLAIN ANALYZE runs what it explains, so that must only ask as well."""
    if statement.type == duckdb.StatementType.EXPLAIN:
        inner = db.extract_statements(_EXPLAIN.sub("", statement.query, count=1))
        return len(inner) == 1 and inner[0].type in _ASKS
    return statement.type in _ASKS
