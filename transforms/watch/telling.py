"""Tell each change in the life of an alert once: what is true now, against what was told before."""

from collections.abc import Iterable

from schemas.alerts import retracted
from schemas.fields import Micros
from schemas.rows import Alert

Life = tuple[Alert, ...]
"""The rows of one alert so far, in order: raised, and cleared if it was."""

Told = dict[str, Alert]
"""The newest row told of each alert, by its id."""


def tell(told: Told, true: Iterable[Life], at: Micros) -> list[Alert]:
    """Give the rows that are news, and remember them in `told`.

    Args:
        told: what was told before; changed in place.
        true: the lives of all alerts of a parcel that are true now.
        at: the time at which an alert is retracted, if one is.
    """
    news: list[Alert] = []
    false = set(told)
    for life in true:
        identity = life[-1].alert_id
        before = told.get(identity)
        false.discard(identity)
        if before is None:
            news += life
        elif (before.state, before.state_ts) != (life[-1].state, life[-1].state_ts):
            news.append(life[-1])
        told[identity] = life[-1]
    for identity in sorted(false):
        alert = told.pop(identity)
        news.append(retracted(alert, max(at, alert.due_ts)))
    return news
