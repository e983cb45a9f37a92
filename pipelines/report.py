"""The command `report`: one of the questions in `reports/`, answered from the lake.

Adding a SQL file to `reports/` adds a report. Its first line is its title; comment lines of the form
`--   column   what it means` define its columns, and are shown with it on a page.
"""

import argparse
import datetime
import re
from pathlib import Path

import duckdb

from pipelines.arguments import day, moment
from pipelines.errors import UsageError
from pipelines.query import FOLDER, ask, choose_period, open_lake
from pipelines.render import FORMATS, Answer, show
from schemas.fields import Micros, to_text
from schemas.policy import Costs, read_policy

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
    horizon: Micros | None = None,
    as_of: Micros | None = None,
    costs: Costs | None = None,
) -> Answer:
    """Answer a report.

    Args:
        name: one of `names()`.
        lake: the lake's folder.
        first: earliest UTC day, of what the report's header says; None for no limit.
        last: latest UTC day, included; None for no limit.
        horizon: what the world was then; default at the newest event that is known.
        as_of: what the lake knew then; default all that it knows.
        costs: unit prices; default those of the lake's last live run.

    Raises:
        UsageError: there is no such report, or the period ends before it begins.
        LakeError: the lake cannot be read.
    """
    if name not in names():
        raise UsageError(f"There is no report {name}; there are {', '.join(names())}.")
    check_period(first, last)
    query = (REPORTS / f"{name}.sql").read_text(encoding="utf-8")
    with open_lake(lake, horizon, as_of=as_of, costs=costs) as db:
        choose_period(db, first, last)
        rows = ask(db, query)
        told = time_told(db, as_of)
    note = told if travels(horizon, as_of) else ""
    return Answer(rows, title_of(query), f"{period(first, last)}; {told}", glossary_of(query), note)


def title_of(query: str) -> str:
    """Give what a file of SQL says it is about: its first line."""
    return query.partition("\n")[0].removeprefix("--").strip()


def glossary_of(query: str) -> dict[str, str]:
    """Give what a file of SQL says that its columns mean, and those of the scorecard."""
    shared = (FOLDER / "scorecard.sql").read_text(encoding="utf-8")
    return dict(_DEFINITION.findall(shared)) | dict(_DEFINITION.findall(query))


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `report` to the command line."""
    parser = commands.add_parser("report", help="answer a question about carriers, promises, alerts and the like")
    parser.add_argument("name", metavar="NAME", choices=names(), help=", ".join(names()))
    parser.add_argument("--lake", required=True, metavar="DIR", help="the lake's folder")
    parser.add_argument("--from", dest="first", type=day, metavar="D", help="first day (UTC), such as 2026-01-31")
    parser.add_argument("--to", dest="last", type=day, metavar="D", help="last day (UTC), included")
    add_horizon(parser)
    add_prices(parser)
    parser.add_argument("--format", choices=FORMATS, default="table", help="default: table")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write there instead of to standard output")
    parser.set_defaults(run=_run)


def add_horizon(parser: argparse.ArgumentParser) -> None:
    """Add `--horizon` and `--as-of` to a command that reads the lake."""
    parser.add_argument(
        "--horizon", type=moment, metavar="TS", help="what the world was then; default: at the newest event"
    )
    parser.add_argument(
        "--as-of", type=moment, metavar="TS", help="what the lake knew then; default: all that it knows now"
    )


def add_prices(parser: argparse.ArgumentParser) -> None:
    """Add `--policy` to a command that tells costs."""
    parser.add_argument(
        "--policy",
        type=Path,
        metavar="FILE",
        help="take unit prices (costs) from this policy; default: from that of the lake's last live run",
    )


def prices(policy: Path | None) -> Costs | None:
    """Give the unit prices of a policy file; None for no file.

    Raises:
        PolicyError: the file cannot be used.
    """
    return None if policy is None else read_policy(policy).costs


def check_period(first: datetime.date | None, last: datetime.date | None) -> None:
    """Make sure that a period is one.

    Raises:
        UsageError: it ends before it begins.
    """
    if first and last and last < first:
        raise UsageError(f"The period ends ({last}) before it begins ({first}).")


def time_told(db: duckdb.DuckDBPyConnection, as_of: Micros | None) -> str:
    """Say in one line of which time an answer is: what was known when, and up to when the world is looked at."""
    ((now,),) = db.sql("select strftime(horizon(), '%Y-%m-%d %H:%M UTC')").fetchall()
    known = f"what the lake knew at {to_text(as_of)} (--as-of)" if as_of is not None else "all the lake knows"
    return f"{known}, of the world as it was at {now} (--horizon)"


def travels(horizon: Micros | None, as_of: Micros | None) -> bool:
    """Tell whether somebody asked for another time than now."""
    return horizon is not None or as_of is not None


def period(first: datetime.date | None, last: datetime.date | None) -> str:
    """Say which days were chosen."""
    if first and last:
        return f"{first} to {last}"
    if first or last:
        return f"from {first}" if first else f"to {last}"
    return "All days"


def _run(arguments: argparse.Namespace) -> int:
    answer = report(
        arguments.name,
        arguments.lake,
        first=arguments.first,
        last=arguments.last,
        horizon=arguments.horizon,
        as_of=arguments.as_of,
        costs=prices(arguments.policy),
    )
    show(answer, arguments.format, arguments.out)
    return 0
