"""Deadlines and alerts of one parcel: pure functions of its journey, the limits and the horizon."""

from collections.abc import Iterable
from typing import NamedTuple

from schemas.alerts import ANCHOR, AWAITED, cleared, raised
from schemas.fields import Micros, to_text
from schemas.policy import Limits
from schemas.rows import Alert
from schemas.stages import TROUBLE_STAGES
from transforms.follow.journey import Journey
from transforms.watch.telling import Life


class Deadline(NamedTuple):
    """Something awaited by a time.

    Attributes:
        kind: the alert that its absence raises.
        due_ts: when it is due.
        since: what set the clock.
        since_ts: when that was.
        reason: of an exception or a failed attempt.
        ended_ts: when the awaited came, if it did.
        ended_by: the stage that it came as.
    """

    kind: str
    due_ts: Micros
    since: str
    since_ts: Micros
    reason: str
    ended_ts: Micros | None
    ended_by: str

    @property
    def met(self) -> bool:
        """Tell whether the awaited came in time."""
        return self.ended_ts is not None and self.ended_ts <= self.due_ts


def deadlines(journey: Journey, limits: Limits) -> list[Deadline]:
    """Give every deadline that the journey has set so far: met, missed or still open."""
    first = journey.first
    found = []
    for kind, anchor in ANCHOR.items():
        start = first.get(anchor)
        if start is not None:
            limit: int = getattr(limits, kind)
            found.append(Deadline(kind, start + limit, anchor, start, "", *ending(first, AWAITED[kind])))
    promise = journey.promised_delivery_ts
    if promise is not None or journey.troubles:
        closing = ending(first, AWAITED["sla_breached"])
        if promise is not None:
            found.append(Deadline("sla_at_risk", promise - limits.sla_at_risk, "promised", promise, "", *closing))
            found.append(Deadline("sla_breached", promise, "promised", promise, "", *closing))
        for ts, stage, reason in journey.troubles:
            found.append(Deadline(stage, ts, stage, ts, reason, *closing))
    return found


def ending(first: dict[str, Micros], stages: frozenset[str]) -> tuple[Micros | None, str]:
    """Give the earliest time of any of these stages, and which stage that was."""
    ended, by = None, ""
    for stage, ts in first.items():
        if stage in stages and (ended is None or (ts, stage) < (ended, by)):
            ended, by = ts, stage
    return ended, by


def alerts(journey: Journey, due: Iterable[Deadline], horizon: Micros) -> list[Life]:
    """Give the lives of the parcel's alerts as of the horizon.

    An alert is true when what was awaited had not come by `due_ts`. No deadline after the horizon counts; troubles
    are no deadlines: they are news the moment they are known.
    """
    return [
        _life(journey, deadline)
        for deadline in due
        if not deadline.met and (deadline.due_ts <= horizon or deadline.kind in TROUBLE_STAGES)
    ]


def missed(journey: Journey, due: Deadline) -> Alert:
    """Give the alert that a deadline raises when it is missed."""
    evidence = f"{due.since} {to_text(due.since_ts)} {due.reason}".strip()
    return raised(journey.order_id, journey.tracking_number, due.kind, due.due_ts, evidence, due.reason)


def _life(journey: Journey, due: Deadline) -> Life:
    alert = missed(journey, due)
    return (alert,) if due.ended_ts is None else (alert, cleared(alert, due.ended_ts, due.ended_by))


def next_due(due: Iterable[Deadline], after: Micros) -> Micros | None:
    """Give the next time after `after` at which an absence may become news; None when nothing is awaited."""
    return min((d.due_ts for d in due if d.due_ts > after and not d.met and d.kind not in TROUBLE_STAGES), default=None)
