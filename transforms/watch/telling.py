"""Tell each change in the life of an alert once: what is true now, against what was told before."""

from collections.abc import Iterable

import msgspec

from schemas.alerts import CLEARED, RETRACTED, retracted
from schemas.fields import Micros
from schemas.rows import Alert
from schemas.stages import TROUBLE_STAGES

Life = tuple[Alert, ...]
"""The rows of one alert so far, in order: raised, and cleared if it was."""

Told = dict[str, Alert]
"""The newest row told of each alert, by the identity that its first occurrence had."""


def tell(told: Told, true: Iterable[Life], at: Micros) -> list[Alert]:
    """Give the rows that are news, and remember them in `told`.

    An alert that was taken back and proves true after all (a promise that goes back and forth as earlier events come
    in), or that was cleared and stands again, is told as another occurrence: what was retracted stays retracted.

    Args:
        told: what was told before; changed in place.
        true: the lives of all alerts of a parcel that are true now.
        at: the time at which an alert is retracted, if one is.
    """
    news: list[Alert] = []
    false = {identity for identity, alert in told.items() if alert.state != RETRACTED}
    for life in true:
        identity = life[-1].alert_id
        before = told.get(identity)
        false.discard(identity)
        if before is not None and _goes_back(before, life[-1]):
            before = retracted(before, max(at, before.due_ts))
            news.append(before)
        if before is not None:
            again = before.state == RETRACTED
            named = _again(before.alert_id) if again else before.alert_id
            life = tuple(msgspec.structs.replace(row, alert_id=named) for row in life)
        if before is None or before.state == RETRACTED:
            news += life
        elif (before.state, before.state_ts) != (life[-1].state, life[-1].state_ts):
            news.append(life[-1])
        told[identity] = life[-1]
    for identity in sorted(false):
        told[identity] = retracted(told[identity], max(at, told[identity].due_ts))
        news.append(told[identity])
    return news


def disown(told: Told, might: Iterable[Alert], true: Iterable[Life], after: Micros, until: Micros) -> list[Alert]:
    """Give the retractions of alerts that a lost life may have told and that are not true, and remember them in `told`.

    What is told goes out before the engine's checkpoint is done. A life that is killed in between may have told an
    absence of which the next life, which gets its input in other pieces, never hears: what was awaited is there before
    anybody looks. So the next life takes back whatever may have been told; of what was not, the lake and the database
    then have a retraction, which says nothing.

    Args:
        told: what was told before; changed in place.
        might: raised alerts that can have looked true at some moment since then.
        true: the lives of the alerts that are true, as of `until`.
        after: the watermark: of absences that are due later this life has told nothing yet.
        until: when the lost life ended, at the latest: it told no absence that was due later.
    """
    right = {life[0].alert_id for life in true} | told.keys()
    wrong = {
        alert.alert_id: retracted(alert, alert.due_ts)
        for alert in might
        if (after < alert.due_ts <= until or alert.kind in TROUBLE_STAGES) and alert.alert_id not in right
    }
    told.update(wrong)
    return list(wrong.values())


def first_identity(alert_id: str) -> str:
    """Give the identity of an alert's first occurrence.

    >>> first_identity("c0ffee.2"), first_identity("c0ffee")
    ('c0ffee', 'c0ffee')
    """
    return alert_id.partition(".")[0]


def occurrence(alert_id: str) -> int:
    """Give how often an alert had been taken back before this occurrence of it.

    >>> occurrence("c0ffee.2"), occurrence("c0ffee")
    (2, 0)
    """
    return int(alert_id.partition(".")[2] or 0)


def _goes_back(before: Alert, now: Alert) -> bool:
    """Tell whether what cleared an alert is known no more, or to be later: only a corrected file can show that."""
    return before.state == CLEARED and (now.state != CLEARED or now.state_ts > before.state_ts)


def _again(alert_id: str) -> str:
    return f"{first_identity(alert_id)}.{occurrence(alert_id) + 1}"
