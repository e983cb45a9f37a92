"""What people do about alerts, checked before it is written down."""

import re
from collections.abc import Iterable
from typing import NamedTuple

STEPS = ("acknowledge", "reopen", "take", "assign", "note")
MOST_ALERTS = 500
"""That one step may be about."""

_ALERT = re.compile(r"[0-9a-f]{24}")
_NAME = 64
_NOTE = 500


class StepError(ValueError):
    """A step that cannot be taken; its text is one clear sentence."""


class Step(NamedTuple):
    """Something to do about some alerts.

    `acknowledge` says that somebody has seen them, and who first did so stays; `reopen` takes that back. `take` makes
    those that nobody has one's own, `assign` gives them to anybody, or to nobody. `note` adds a remark.
    """

    step: str
    alerts: tuple[str, ...]
    who: str
    assignee: str | None = None
    note: str | None = None


def read_step(step: str, alerts: Iterable[str], who: str, assignee: str, note: str) -> Step:
    """Check what somebody wants to do.

    Raises:
        StepError: it is nothing that can be done.
    """
    chosen = tuple(sorted(set(alerts)))
    if step not in STEPS:
        raise StepError("There is no such step.")
    if not chosen:
        raise StepError("No alert was chosen.")
    if len(chosen) > MOST_ALERTS or not all(_ALERT.fullmatch(one) for one in chosen):
        raise StepError(f"Those are no alerts, or more than {MOST_ALERTS}.")
    remark = " ".join(note.split())
    if len(remark) > _NOTE or not remark.isprintable():
        raise StepError(f"A note has at most {_NOTE} letters.")
    if step == "note" and not remark:
        raise StepError("The note is empty.")
    given = {"take": who, "assign": assignee.strip()}.get(step, "")
    return Step(step, chosen, who, checked_name(given) if given else None, remark or None)


def checked_name(name: str) -> str:
    """Give a person's name as it is kept.

    Raises:
        StepError: it is empty, too long, or no text.
    """
    kept = " ".join(name.split())
    if not kept or len(kept) > _NAME or not kept.isprintable():
        raise StepError(f"A name has 1 to {_NAME} letters.")
    return kept
