"""The command `sql`: ask the lake anything. Every table and view is bound; nothing can be written."""

import argparse
import dataclasses
import re
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait

import duckdb
import pyarrow as pa

from pipelines.errors import QueryError, UsageError
from pipelines.query import first_line, open_lake
from pipelines.render import FORMATS, Answer, show
from pipelines.report import add_horizon, time_told, travels
from pipelines.statements import says_something, statements

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


def answer_unless_stopped(db: duckdb.DuckDBPyConnection, query: str) -> Answer:
    """Answer one query, as `answer` does, but let Ctrl-C end it.

    Raises:
        KeyboardInterrupt: it was ended; the connection can be asked again.
    """
    # DuckDB itself looks for Ctrl-C too seldom; Python's main thread only while it does not wait for DuckDB.
    with ThreadPoolExecutor(1) as aside:
        answered = aside.submit(answer, db, query)
        try:
            return answered.result()
        except KeyboardInterrupt:
            while not answered.done():
                # What has not begun cannot be interrupted, hence again.
                db.interrupt()
                wait([answered], timeout=0.05)
            raise


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `sql` to the command line."""
    parser = commands.add_parser("sql", help="ask the lake anything in SQL")
    parser.add_argument("--lake", required=True, metavar="DIR", help="the lake's folder")
    add_horizon(parser)
    parser.add_argument("--format", choices=FORMATS, default="table", help="default: table")
    parser.add_argument("query", nargs="?", metavar="QUERY", help="without it, queries are read, each ended by ;")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    if arguments.query is not None and not says_something(arguments.query):
        raise UsageError("The query is empty.")
    with open_lake(arguments.lake, arguments.horizon, as_of=arguments.as_of) as db:
        note = time_told(db, arguments.as_of) if travels(arguments.horizon, arguments.as_of) else ""

        def tell(query: str) -> None:
            show(dataclasses.replace(answer_unless_stopped(db, query), note=note), arguments.format)

        if arguments.query is not None:
            tell(arguments.query)
        elif sys.stdin.isatty():
            # Most questions come in the command line, and need not wait until the shell is loaded.
            from pipelines.shell import converse

            converse(db, tell)
        else:
            for query in statements(_piped()):
                tell(query)
    return 0


def _piped() -> Iterator[str]:
    try:
        for line in sys.stdin:
            # By some locales what is no text comes as halves of characters.
            line.encode()
            yield line
    except UnicodeError as fault:
        raise QueryError("What comes by standard input is no UTF-8.") from fault


def _only_asks(db: duckdb.DuckDBPyConnection, statement: duckdb.Statement) -> bool:
    """Say whether a statement only asks. EXPLAIN ANALYZE runs what it explains, so that must only ask as well."""
    if statement.type == duckdb.StatementType.EXPLAIN:
        inner = db.extract_statements(_EXPLAIN.sub("", statement.query, count=1))
        return len(inner) == 1 and inner[0].type in _ASKS
    return statement.type in _ASKS
