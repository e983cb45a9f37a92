"""An order's story out of the tables that operations read, in the form in which `explain` tells it out of the lake."""

import datetime
from collections.abc import Iterable, Iterator, Sequence

from pipelines.explain import Section, span
from schemas.fields import Micros, to_datetime
from services.desk.rows import AlertState, HandlingStep, NewsSent, Parcel
from services.desk.source import Standing

_MILESTONES = ("picked", "packed", "labeled", "carrier_scanned", "exception", "out_for_delivery", "attempt_failed",
               "available_for_pickup", "delivered", "first_returned", "closed")  # fmt: skip


def tell(
    parcels: Iterable[Parcel],
    alerts: Sequence[AlertState],
    steps: Sequence[HandlingStep],
    news: Sequence[NewsSent],
    now: Micros,
) -> list[Standing]:
    """Tell an order's story, one entry a parcel."""
    told = []
    for parcel in parcels:
        mine = [alert for alert in alerts if alert.tracking_number == parcel.tracking_number]
        ids = {alert.alert_id: alert.kind for alert in mine}
        lines = [
            f"from warehouse {parcel.warehouse_id or '?'}, by {parcel.carrier or 'an unknown carrier'}",
            standing(parcel, now),
        ]
        tables = (
            (("time", "after", "what", "", "detail"), _timeline(parcel, mine)),
            (
                ("time", "who", "what", "alert", "note"),
                (_taken(step, ids[step.alert_id]) for step in steps if step.alert_id in ids),
            ),
            (
                ("news", "happened", "told by", "state", "sent"),
                (_sent(one) for one in news if one.tracking_number == parcel.tracking_number),
            ),
        )
        listed = [Section(columns, list(rows)) for columns, rows in tables]
        told.append(Standing(parcel.tracking_number, lines, [section for section in listed if section.rows]))
    return told


def standing(parcel: Parcel, now: Micros) -> str:
    """Say in one sentence where a parcel stands towards its promise."""
    promise, stage = parcel.promised_delivery_ts, parcel.current_stage.replace("_", " ")
    where = f"Delivered {clock(parcel.delivered_at)}" if parcel.delivered_at else f"Not delivered, {stage}"
    if promise is None:
        return f"{where}; nothing was promised."
    said = f"the promise of {clock(promise)}"
    if parcel.delivered_at is not None:
        way = "before" if parcel.delivered_at <= promise else "after"
        said = f"{_apart(promise, parcel.delivered_at)} {way} {said}"
    elif parcel.closed_at is not None:
        said = f"no longer awaited; promised for {clock(promise)}"
    elif now > promise:
        said = f"{_apart(now, promise)} past {said}"
    else:
        said = f"{_apart(now, promise)} left until {said}"
    latest = parcel.latest_promised_delivery_ts
    moved = f" (promised anew for {clock(latest)})" if latest and latest != promise else ""
    return f"{where}: {said}{moved}."


def clock(at: Micros | None) -> str:
    """Give a time for people, in UTC; nothing for none.

    >>> clock(0), clock(None)
    ('1970-01-01 00:00:00Z', '')
    """
    return "" if at is None else to_datetime(at).strftime("%Y-%m-%d %H:%M:%SZ")


def _timeline(parcel: Parcel, alerts: Iterable[AlertState]) -> Iterator[tuple[str, ...]]:
    happened: list[tuple[Micros, int, str, str, str]] = []
    for place, name in enumerate(_MILESTONES):
        at = getattr(parcel, f"{name}_at")
        ended = name == "closed" and at in (parcel.delivered_at, parcel.first_returned_at)
        if at is not None and not ended:
            reason = getattr(parcel, f"{name}_reason", None) or ""
            happened.append((at, place, name.removeprefix("first_"), "milestone", reason))
    for alert in alerts:
        due = f"due {clock(alert.due_ts)}: {alert.evidence}"
        # What happens at the moment of a deadline comes before what is concluded from it.
        happened.append((alert.state_ts, len(_MILESTONES), alert.kind, f"alert {alert.state}", due))
    before: Micros | None = None
    for at, _, what, remark, detail in sorted(happened):
        yield clock(at), "" if before is None else f"+{_apart(at, before)}", what, remark, detail
        before = at


def _taken(step: HandlingStep, kind: str) -> tuple[str, ...]:
    to = f" to {step.assignee or 'nobody'}" if step.step == "assign" else ""
    return clock(step.at), step.who, f"{step.step}{to}", kind, step.note or ""


def _sent(news: NewsSent) -> tuple[str, ...]:
    return news.milestone, clock(news.happened_at), news.channel, news.state, clock(news.sent_at)


def _apart(one: Micros, other: Micros) -> str:
    return span(datetime.timedelta(microseconds=abs(one - other)))
