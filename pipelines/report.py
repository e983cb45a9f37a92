"""The command `report`: one of the questions in `reports/`, answered from the lake.

Adding a SQL file to `reports/` adds a report. Its first line is its title; comment lines of the form
`--   column   what it means` define its columns, and are shown with it on a page.
"""

import argparse
import datetime
import re
from pathlib import Path

from pipelines.arguments import day, moment
from pipelines.errors import UsageError
from pipelines.query import FOLDER, ask, choose_period, open_lake
from pipelines.render import FORMATS, Answer, show
from schemas.fields import Micros

REPORTS = Path(__file__).parent / "reports"

_DEFINITION = re.compile(r"--   (\w+) {2,}(\S.*)")


def names() -> list[str]:
    """Give the names of all reports."""
    return sorted(path.stem for path in REPORTS.glob("*.sql"))


def report(
    name: str,
    lake: str | Path,
    *,
    first: datetime.date | None = None,
    last: datetime.date | None = None,
    as_of: Micros | None = None,
) -> Answer:
    """Answer a report.

    Args:
        name: one of `names()`.
        lake: the lake's folder.
        first: earliest UTC day, of what the report's header says; None for no limit.
        last: latest UTC day, included; None for no limit.
        as_of: the horizon; default the newest event.

    Raises:
        UsageError: there is no such report, or the period ends before it begins.
        LakeError: the lake cannot be read.
    """
    if name not in names():
        raise UsageError(f"There is no report {name}; there are {', '.join(names())}.")
    if first and last and last < first:
        raise UsageError(f"The period ends ({last}) before it begins ({first}).")
    query = (REPORTS / f"{name}.sql").read_text(encoding="utf-8")
    with open_lake(lake, as_of) as db:
        choose_period(db, first, last)
        rows = ask(db, query)
        ((now,),) = db.sql("select strftime(horizon(), '%Y-%m-%d %H:%M UTC')").fetchall()
    title = query.partition("\n")[0].removeprefix("--").strip()
    shared = (FOLDER / "scorecard.sql").read_text(encoding="utf-8")
    glossary = dict(_DEFINITION.findall(shared)) | dict(_DEFINITION.findall(query))
    return Answer(rows, title, f"{_period(first, last)}, as known at {now}", glossary)


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `report` to the command line."""
    parser = commands.add_parser("report", help="answer a question about carriers, promises, alerts and the like")
    parser.add_argument("name", metavar="NAME", choices=names(), help=", ".join(names()))
    parser.add_argument("--lake", required=True, metavar="DIR", help="the lake's folder")
    parser.add_argument("--from", dest="first", type=day, metavar="D", help="first day (UTC), such as 2026-01-31")
    parser.add_argument("--to", dest="last", type=day, metavar="D", help="last day (UTC), included")
    add_horizon(parser)
    parser.add_argument("--format", choices=FORMATS, default="table", help="default: table")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write there instead of to standard output")
    parser.set_defaults(run=_run)


def add_horizon(parser: argparse.ArgumentParser) -> None:
    """Add `--as-of` to a command that reads the lake."""
    parser.add_argument("--as-of", type=moment, metavar="TS", help="answer as known then; default: at the newest event")


def _run(arguments: argparse.Namespace) -> int:
    answer = report(arguments.name, arguments.lake, first=arguments.first, last=arguments.last, as_of=arguments.as_of)
    show(answer, arguments.format, arguments.out)
    return 0


def _period(first: datetime.date | None, last: datetime.date | None) -> str:
    if first and last:
        return f"{first} to {last}"
    if first or last:
        return f"from {first}" if first else f"to {last}"
    return "All days"
