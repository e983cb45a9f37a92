"""Lines of events for the tests of sources."""

from schemas.fields import to_text

BASE = 1_767_000_000_000_000
"""A moment in microseconds, long past."""


def line(number, ts=None):
    """Give an event with that number, as a line."""
    moment = to_text(BASE + number * 1_000_000 if ts is None else ts)
    return (
        f'{{"event_id":"e{number}","stage":"picked","tracking_number":"T{number}","order_id":"o{number}",'
        f'"carrier":"Post","event_ts":"{moment}"}}'
    ).encode()


def lines(first, count, ts=None):
    """Give that many of them."""
    return [line(number, ts) for number in range(first, first + count)]
