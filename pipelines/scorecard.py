"""The command `scorecard`: one page for a period, which needs nothing else: no script, no network."""

import argparse
import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
from markupsafe import Markup

from pipelines import charts
from pipelines.arguments import day
from pipelines.query import ask, choose_period, open_lake
from pipelines.render import Answer, for_people, page, plain, table_of, write_whole
from pipelines.report import REPORTS, add_horizon, check_period, glossary_of, period, time_told, title_of
from schemas.fields import Micros

PANELS = Path(__file__).parent / "panels"
BY_WEEK = 35
"""Days from which on time is told in weeks."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Figure:
    """A headline figure: its name, column and unit, and whether it had better be higher."""

    name: str
    column: str
    unit: str
    higher_is_better: bool | None


FIGURES = (
    Figure("Parcels", "parcels", "", None),
    Figure("Promises kept", "kept_rate_pct", "%", True),
    Figure("On time, of delivered", "on_time_rate_pct", "%", True),
    Figure("Late or overdue", "late", "", False),
    Figure("Median transit", "transit_p50_hours", "h", False),
    Figure("First attempt", "first_attempt_pct", "%", True),
    Figure("Lost", "lost", "", False),
    Figure("At-risk warnings come true", "came_true_pct", "%", None),
)


@dataclass(frozen=True)
class Panel:
    """A chart of the page: the file of its query, how to draw it, and how to read it."""

    query: Path
    draw: Callable[[Sequence[Row]], Markup]
    reading: str


PANELS_SHOWN = (
    Panel(PANELS / "over_time.sql", charts.over_time, "The share of promises kept, of those that have passed."),
    Panel(
        PANELS / "transit.sql",
        charts.transit,
        "The stroke is the median; half of the parcels lie in the bar, 80 in 100 on the line.",
    ),
    Panel(PANELS / "lane_map.sql", charts.lane_map, "Late parcels in 100; the stronger the colour, the later."),
    Panel(
        REPORTS / "hubs.sql",
        charts.hubs,
        "The slowest hubs: from the median stay (stroke) to the one that 90 in 100 do not exceed.",
    ),
    Panel(PANELS / "blame.sql", charts.blame, "Hours late, shared out among those who took them."),
    Panel(
        REPORTS / "alerts.sql",
        charts.alerts,
        "Alerts due before the promise: did the parcel come late, or on time after all?",
    ),
)


def scorecard(
    lake: str | Path,
    first: datetime.date,
    last: datetime.date,
    *,
    horizon: Micros | None = None,
    as_of: Micros | None = None,
) -> str:
    """Give the page for the days from `first` to `last`, both included, beside as many days before them.

    Raises:
        UsageError: the period ends before it begins.
        LakeError: the lake cannot be read.
    """
    check_period(first, last)
    length = last - first + datetime.timedelta(days=1)
    with open_lake(lake, horizon, as_of=as_of) as db:
        choose_period(db, first - length, first - datetime.timedelta(days=1))
        before = _row(db)
        choose_period(db, first, last)
        now = _row(db)
        panels = [_panel(db, panel, "week" if length.days >= BY_WEEK else "day") for panel in PANELS_SHOWN]
        told = time_told(db, as_of)
    return page(
        "scorecard.html",
        scope=f"{period(first, last)}; {told}",
        before=period(first - length, first - datetime.timedelta(days=1)),
        figures=[_figure(figure, now, before) for figure in FIGURES],
        panels=panels,
    )


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `scorecard` to the command line."""
    parser = commands.add_parser("scorecard", help="one page for a period: figures, charts, what changed")
    parser.add_argument("--lake", required=True, metavar="DIR", help="the lake's folder")
    parser.add_argument("--from", dest="first", required=True, type=day, metavar="D", help="first day (UTC)")
    parser.add_argument("--to", dest="last", required=True, type=day, metavar="D", help="last day (UTC), included")
    add_horizon(parser)
    parser.add_argument("--out", required=True, type=Path, metavar="FILE", help="the page, such as scorecard.html")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    told = scorecard(arguments.lake, arguments.first, arguments.last, horizon=arguments.horizon, as_of=arguments.as_of)
    write_whole(arguments.out, told)
    return 0


def _row(db: duckdb.DuckDBPyConnection) -> Row:
    (row,) = ask(db, _text(PANELS / "headline.sql")).to_pylist()
    return dict(row)


def _panel(db: duckdb.DuckDBPyConnection, panel: Panel, step: str) -> dict[str, Any]:
    query = _text(panel.query)
    answer = Answer(ask(db, query, [step] if "?" in query else []), title_of(query), glossary=glossary_of(query))
    rows = [{name: _shown(value) for name, value in row.items()} for row in answer.rows.to_pylist()]
    return {
        "title": answer.title,
        "reading": panel.reading,
        "chart": panel.draw(rows) if rows else None,
        "table": table_of(answer),
        "lanes": _chronic(db) if panel.draw is charts.lane_map else None,
    }


def _shown(value: Any) -> Any:  # noqa: ANN401
    """Give a value as a chart takes it: control characters do not get into one, nor do times that it cannot read."""
    return for_people(value) if isinstance(value, str) else plain(value)


def _figure(figure: Figure, now: Row, before: Row) -> dict[str, str]:
    value, former = now[figure.column], before[figure.column]
    return {
        "name": figure.name,
        "value": _with_unit(value, figure.unit),
        **_change(figure, value, former),
    }


def _change(figure: Figure, value: float | None, former: float | None) -> dict[str, str]:
    """Say how a figure changed, in words too: colours alone are not seen by everybody."""
    if value is None or former is None:
        return {"change": "nothing to compare with", "trend": "same"}
    by = value - former
    if abs(by) < 0.005:
        return {"change": f"as before ({_with_unit(former, figure.unit)})", "trend": "same"}
    arrow = "▲" if by > 0 else "▼"
    size = _with_unit(abs(by), "points" if figure.unit == "%" else figure.unit)
    if figure.higher_is_better is None:
        return {"change": f"{arrow} {size} from {_with_unit(former, figure.unit)}", "trend": "same"}
    trend = "better" if (by > 0) == figure.higher_is_better else "worse"
    return {"change": f"{arrow} {size} {trend} than {_with_unit(former, figure.unit)}", "trend": trend}


def _with_unit(value: float | None, unit: str) -> str:
    if value is None:
        return "–"
    text = f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"
    return f"{text} {unit}".rstrip()


def _chronic(db: duckdb.DuckDBPyConnection) -> list[str]:
    rows = ask(db, _text(REPORTS / "lanes.sql")).to_pylist()
    return [_lane(row) for row in rows if row["chronic"]]


def _lane(row: Row) -> str:
    carrier, origin, dest = (for_people(row[name]) or "?" for name in ("carrier", "origin_region", "dest_region"))
    late, usual = f"{row['late_pct']:.0f}", f"{row['carrier_late_pct']:.0f}"
    return f"{carrier}, {origin} → {dest}: {late} in 100 late, of all its lanes {usual}"


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")
