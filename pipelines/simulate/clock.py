"""Times as senders write them: RFC 3339, in their own zone and at their own resolution, quickly."""

from functools import lru_cache

from schemas.fields import DAY, HOUR, MINUTE, SECOND, Micros, to_text

_OF_DAY = [f"T{s // 3600:02}:{s // 60 % 60:02}:{s % 60:02}" for s in range(86400)]


@lru_cache(maxsize=4096)
def _date(day: int) -> str:
    return to_text(day * DAY)[:10]


def write_time(ts: Micros, zone: tuple[int, int] = (0, 0)) -> str:
    """Write a time; fractions of a second only where there are any.

    >>> write_time(1_500_000), write_time(0, zone=(5, 30))
    ('1970-01-01T00:00:01.500Z', '1970-01-01T05:30:00+05:30')
    """
    hours, minutes = zone
    day, rest = divmod(ts + hours * HOUR + minutes * MINUTE, DAY)
    second, fraction = divmod(rest, SECOND)
    text = _date(day) + _OF_DAY[second]
    if fraction:
        text = f"{text}.{fraction:06}" if fraction % 1000 else f"{text}.{fraction // 1000:03}"
    return f"{text}+{hours:02}:{minutes:02}" if hours or minutes else f"{text}Z"
