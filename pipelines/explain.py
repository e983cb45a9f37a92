"""The command `explain`: the whole story of an order, with the evidence for everything Milepost says of it."""

import argparse
import datetime
import io
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import duckdb
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipelines.errors import QueryError
from pipelines.query import ask, open_lake
from pipelines.render import for_people, plain, to_json
from pipelines.report import add_horizon, time_told, travels
from schemas.fields import to_datetime, to_micros
from schemas.policy import Limits, Policy
from schemas.stages import CLOSING_STAGES, RANK
from transforms.follow.journey import Journey
from transforms.publish.lake import Lake
from transforms.watch.deadlines import deadlines

Moment = datetime.datetime
Row = dict[str, Any]

_PIPED_WIDTH = 240


class Section(NamedTuple):
    """A table of a story, for people; a row has one text for each column."""

    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]


def story(db: duckdb.DuckDBPyConnection, order_id: str, policy: Policy | None = None) -> list[Row]:
    """Tell all that is known of an order, one object a parcel.

    Each holds the columns of the view `parcels`, `as_of`, and the lists `predecessors` (waybills in whose place this
    one came), `timeline` (events, hub scans and alerts, in order of time), `deadlines` (by the policy, default the
    built-in one), `visits`, `stays` at hubs, and `findings` (how the carrier's files differ from what came live).
    Times are aware datetimes.

    Raises:
        QueryError: no event tells of it.
        LakeError: the lake cannot be read.
    """
    parcels = _rows(
        db,
        "select *, horizon() as as_of from parcels where order_id = ? order by first_event_ts, tracking_number",
        order_id,
    )
    if not parcels:
        raise QueryError(f"The lake knows no order {for_people(order_id)}.")
    for parcel in parcels:
        key = (parcel["order_id"], parcel["tracking_number"])
        parcel["predecessors"] = [
            other["tracking_number"] for other in parcels if other["successor"] == parcel["tracking_number"]
        ]
        events = _rows(
            db,
            """select * exclude (event_date) from events
               where order_id = ? and tracking_number = ? order by event_ts, event_id""",
            *key,
        )
        scans = _rows(
            db,
            """select distinct on (scan_ts, code, hub) scan_ts, stage, code, hub, source from hub_scans
               where carrier = ? and tracking_number = ? order by scan_ts, code, hub, source""",
            parcel["carrier"],
            parcel["tracking_number"],
        )
        alerts = _rows(
            db,
            """select alert_id, kind, due_ts, state, state_ts, evidence from alerts
               where order_id = ? and tracking_number = ? order by state_ts, kind, alert_id, state""",
            *key,
        )
        parcel["timeline"] = _timeline(parcel, events, scans, alerts)
        limits = (policy or Policy()).limits_for(parcel["carrier"], parcel["warehouse_id"])
        parcel["deadlines"] = list(_deadlines(parcel, _first_times(events), limits))
        parcel["visits"] = _rows(
            db,
            """select start_ts, end_ts, events, hubs, ended_ts, closed from visits
               where order_id = ? and tracking_number = ? order by start_ts""",
            *key,
        )
        parcel["stays"] = _rows(
            db,
            """select hub, in_ts, out_ts, in_inferred, out_inferred,
                minutes_between(in_ts, coalesce(out_ts, horizon())) as minutes
               from hub_legs where carrier = ? and tracking_number = ? order by in_ts, hub""",
            parcel["carrier"],
            parcel["tracking_number"],
        )
        parcel["findings"] = _rows(
            db,
            """select finding, milestone, live_ts, batch_ts, scans, counts, why from reconciliation
               where carrier = ? and tracking_number = ? order by at_ts, finding, milestone""",
            parcel["carrier"],
            parcel["tracking_number"],
        )
    return parcels


def as_text(parcels: Sequence[Row], console: Console) -> None:
    """Print a story for people."""
    first = parcels[0]
    count = "1 parcel" if len(parcels) == 1 else f"{len(parcels)} parcels"
    console.print(
        _line(f"Order {first['order_id']}", "bold"), _line(f"{count}, as known at {_time(first['as_of'])}"), sep="  "
    )
    for parcel in parcels:
        console.print()
        console.print(_line(f"Parcel {parcel['tracking_number']}", "bold"), _line(facts(parcel)), sep="  ")
        console.print(_line(standing(parcel)))
        if parcel["successor"] or parcel["predecessors"]:
            console.print(_line(_linked(parcel)))
        for section in sections(parcel):
            _print_table(console, section)


def facts(parcel: Row) -> str:
    """Say where a parcel of a story comes from, by whom, where it goes, and what it is worth."""
    way = f"{parcel['origin_region'] or '?'} → {parcel['dest_region'] or '?'}"
    worth = [f"worth {parcel['declared_value']:g} {parcel['currency'] or ''}"] if parcel["declared_value"] else []
    source, carrier = parcel["warehouse_id"] or "?", parcel["carrier"] or "an unknown carrier"
    return ", ".join((f"from warehouse {source}", f"by {carrier}", way, *worth)).rstrip()


def sections(parcel: Row) -> Iterator[Section]:
    """Give what is known of a parcel of a story as tables; those with no row are left out."""
    for columns, rows in (
        (("time", "after", "what", "", "detail", "came in"), map(_told, parcel["timeline"])),
        (("deadline", "due", "outcome"), map(_judged, parcel["deadlines"])),
        (("visit", "until", "scans", "hubs", ""), map(_visited, parcel["visits"])),
        (("hub", "from", "until", "stayed", ""), map(_stayed, parcel["stays"])),
        (("finding", "milestone", "live", "in the file", "counts"), map(_found, parcel["findings"])),
    ):
        if listed := list(rows):
            yield Section(columns, listed)


def span(length: datetime.timedelta) -> str:
    """Give a length of time for people, in its two largest units.

    >>> span(datetime.timedelta(minutes=125)), span(datetime.timedelta(seconds=-5))
    ('2 h 5 min', '-5 s')
    """
    seconds = round(abs(length.total_seconds()))
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    units = ((days, "d"), (hours % 24, "h"), (minutes % 60, "min"), (seconds % 60, "s"))
    begin = next((at for at, (count, _) in enumerate(units) if count), len(units) - 1)
    said = [f"{count} {unit}" for count, unit in units[begin : begin + 2] if count] or ["0 s"]
    return ("-" if length < datetime.timedelta(0) and seconds else "") + " ".join(said)


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `explain` to the command line."""
    parser = commands.add_parser("explain", help="tell the whole story of an order, with evidence")
    parser.add_argument("--lake", required=True, metavar="DIR", help="the lake's folder")
    add_horizon(parser)
    parser.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
    parser.add_argument("order_id", metavar="ORDER_ID")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> int:
    with open_lake(arguments.lake, arguments.horizon, as_of=arguments.as_of) as db:
        parcels = story(db, arguments.order_id, Lake(arguments.lake).policy())
        note = time_told(db, arguments.as_of) if travels(arguments.horizon, arguments.as_of) else ""
    if note:
        print(note, file=sys.stderr)
    if arguments.format == "json":
        sys.stdout.write(to_json([plain(parcel) for parcel in parcels]))
    elif (screen := Console(highlight=False)).is_terminal:
        as_text(parcels, screen)
    else:
        sink = io.StringIO()
        as_text(parcels, Console(file=sink, width=_PIPED_WIDTH, no_color=True, highlight=False))
        sys.stdout.writelines(f"{line.rstrip()}\n" for line in sink.getvalue().splitlines())
    return 0


def _rows(db: duckdb.DuckDBPyConnection, query: str, *values: str | None) -> list[Row]:
    return list(ask(db, query, values).to_pylist())


def _timeline(parcel: Row, events: Sequence[Row], scans: Sequence[Row], alerts: Sequence[Row]) -> list[Row]:
    """Merge what happened and what was concluded into one list, in order of time."""
    entries = [
        *_happened(parcel, events),
        *({"at": scan["scan_ts"], "entry": "hub_scan", **scan} for scan in scans),
        *({"at": alert["state_ts"], "entry": "alert", **alert} for alert in alerts),
    ]
    # What happens at the moment of a deadline comes before what is concluded from it.
    entries.sort(key=_when)
    previous: Moment | None = None
    for entry in entries:
        entry["after_previous_s"] = (entry["at"] - previous).total_seconds() if previous else None
        previous = entry["at"]
    return entries


def _when(entry: Row) -> tuple[Moment, bool]:
    return entry["at"], entry["entry"] == "alert"


def _happened(parcel: Row, events: Sequence[Row]) -> Iterator[Row]:
    """Say of each event whether it made a milestone, and what became of it if not."""
    seen: set[str] = set()
    reached = ""
    for event in events:
        stage = event["stage"]
        milestone = stage not in seen
        if stage == "delivered" and parcel["delivered_at"] is None:
            remark = "of the return leg, does not count"
        elif not milestone:
            remark = "again, changes nothing"
        elif reached and RANK[stage] < RANK[reached]:
            remark = f"milestone, behind {reached}"
        else:
            remark = "milestone"
        seen.add(stage)
        reached = max(reached, stage, key=_rank)
        came_in = event["received_ts"]
        late = (came_in - event["event_ts"]).total_seconds() if came_in else None
        verdict = {"milestone": milestone, "remark": remark, "lateness_s": late}
        yield {"at": event["event_ts"], "entry": "event", **event, **verdict}


def _rank(stage: str) -> int:
    return RANK.get(stage, 0)


def _first_times(events: Iterable[Row]) -> dict[str, Moment]:
    times: dict[str, Moment] = {}
    for event in events:
        times.setdefault(event["stage"], event["event_ts"])
    return times


def _deadlines(parcel: Row, times: Mapping[str, Moment], limits: Limits) -> Iterator[Row]:
    """Judge every deadline that a parcel has had."""
    promise = parcel["promised_delivery_ts"]
    journey = Journey(
        parcel["order_id"],
        parcel["tracking_number"],
        {stage: to_micros(at) for stage, at in times.items()},
        promised_delivery_ts=None if promise is None else to_micros(promise),
    )
    for due in deadlines(journey, limits):
        limit, by = to_datetime(due.due_ts), due.ended_by or None
        at = None if due.ended_ts is None else to_datetime(due.ended_ts)
        if at is None:
            outcome = "missed" if limit <= parcel["as_of"] else "waiting"
        elif at > limit:
            outcome = "missed"
        else:
            outcome = "void" if by in CLOSING_STAGES and by != "delivered" else "met"
        margin = (limit - (at or parcel["as_of"])).total_seconds() / 60
        yield {"kind": due.kind, "due_ts": limit, "outcome": outcome, "by": by, "by_ts": at, "margin_minutes": margin}


def standing(parcel: Row) -> str:
    """Say in one sentence where the parcel stands towards its promise."""
    promise, delivered, now = parcel["promised_delivery_ts"], parcel["delivered_at"], parcel["as_of"]
    latest = parcel["latest_promised_delivery_ts"]
    stage = parcel["current_stage"].replace("_", " ")
    where = f"Delivered {_time(delivered)}" if delivered else f"Not delivered, {stage}"
    if delivered and stage != "delivered":
        where += f", then {stage}"
    match parcel["outcome"]:
        case "no_promise":
            return f"{where}; nothing was promised."
        case "on_time" | "late" as outcome:
            way = "before" if outcome == "on_time" else "after"
            said = f"{span(abs(promise - delivered))} {way} the promise of {_time(promise)}"
        case "breached":
            said = f"{span(now - promise)} past the promise of {_time(promise)}"
        case "on_track" | "at_risk":
            said = f"{span(promise - now)} left until the promise of {_time(promise)}"
        case _:
            said = f"no longer awaited; promised for {_time(promise)}" if promise else "no longer awaited"
    moved = f" (promised anew for {_time(latest)})" if latest and latest != promise else ""
    return f"{where}: {said}{moved}. Status {parcel['outcome']}."


def _linked(parcel: Row) -> str:
    """Say which waybill came in whose place."""
    as_what = f"Reissued as {parcel['successor']}." if parcel["successor"] else ""
    before = f"In place of {', '.join(parcel['predecessors'])}." if parcel["predecessors"] else ""
    return f"{before} {as_what}".strip()


def _told(entry: Row) -> tuple[str, ...]:
    passed = entry["after_previous_s"]
    after = "" if passed is None else f"+{span(datetime.timedelta(seconds=passed))}"
    match entry["entry"]:
        case "event":
            details = (entry["reason"], entry["hub"] and f"at {entry['hub']}", f"event {entry['event_id']}")
            late = entry["lateness_s"]
            came = (
                ""
                if late is None
                else f"{span(datetime.timedelta(seconds=abs(late)))} {'later' if late >= 0 else 'before'}"
            )
            what, remark, detail = entry["stage"], entry["remark"], ", ".join(filter(None, details))
        case "hub_scan":
            what, remark, came = entry["stage"], "hub scan", ""
            place = f"at {entry['hub']}, " if entry["hub"] else ""
            detail = f"{place}code {entry['code']}, {entry['source']}"
        case _:
            what, remark, came = entry["kind"], f"alert {entry['state']}", ""
            detail = f"due {_time(entry['due_ts'])}: {entry['evidence']}"
    return _time(entry["at"]), after, what, remark, detail, came


def _judged(deadline: Row) -> tuple[str, ...]:
    margin = span(abs(datetime.timedelta(minutes=deadline["margin_minutes"])))
    by = deadline["by"]
    match deadline["outcome"]:
        case "met":
            outcome = f"met by {by}, {margin} to spare"
        case "void":
            outcome = f"ended by {by}, {margin} before"
        case "waiting":
            outcome = f"waiting, {margin} left"
        case _:
            outcome = f"missed, {by} came {margin} late" if by else f"missed, nothing for {margin} since"
    return deadline["kind"], _time(deadline["due_ts"]), outcome


def _visited(visit: Row) -> tuple[str, ...]:
    end = "ended the wait" if visit["ended_ts"] else "closed" if visit["closed"] else "still open"
    return _time(visit["start_ts"]), _time(visit["end_ts"]), str(visit["events"]), ", ".join(visit["hubs"]), end


def _stayed(stay: Row) -> tuple[str, ...]:
    missing = [name for name in ("in", "out") if stay[f"{name}_inferred"]]
    left = _time(stay["out_ts"]) if stay["out_ts"] else "still there"
    remark = f"{' and '.join(missing)}-scan missing" if missing else ""
    return stay["hub"], _time(stay["in_ts"]), left, span(datetime.timedelta(minutes=stay["minutes"])), remark


def _found(finding: Row) -> tuple[str, ...]:
    times = (_time(finding[side]) if finding[side] else "" for side in ("live_ts", "batch_ts"))
    counts = f"{finding['counts']}: {finding['why']}" if finding["counts"] else finding["why"]
    return finding["finding"], finding["milestone"], *times, counts


def _time(at: Moment) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%SZ")


def _line(text: str, style: str = "") -> Text:
    return Text(for_people(text), style=style)


def _print_table(console: Console, section: Section) -> None:
    table = Table(*section.columns, box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in table.columns:
        column.overflow = "fold"
    for row in section.rows:
        table.add_row(*map(_line, row))
    console.print()
    console.print(table)
