"""The queue as a file of comma-separated values, in which no text can turn into a formula."""

import csv
from collections.abc import Iterator
from itertools import islice
from typing import Any

from pipelines.render import harmless
from schemas.fields import to_text
from services.desk.choice import Choice
from services.desk.rows import OpenAlert
from services.desk.source import Source

_AT_ONCE = 1_000
_TIMES = {"due_ts", "promised_delivery_ts", "acknowledged_at"}


def export(source: Source, choice: Choice, most: int) -> Iterator[str]:
    """Give the lines of a file of the alerts that a choice has, page by page, at most so many."""
    lines = _Lines()
    writer = csv.writer(lines)
    writer.writerow(OpenAlert._fields)
    for alert in islice(_alerts(source, choice._replace(after="")), most):
        writer.writerow([_cell(name, value) for name, value in alert._asdict().items()])
        yield lines.taken()
    yield lines.taken()


def _alerts(source: Source, choice: Choice) -> Iterator[OpenAlert]:
    while True:
        page = source.page(choice, _AT_ONCE)
        yield from page
        if len(page) < _AT_ONCE:
            return
        choice = choice._replace(after=choice.place(page[-1]))


def _cell(name: str, value: Any) -> Any:  # noqa: ANN401
    if value is not None and name in _TIMES:
        return to_text(value)
    return harmless(value) if isinstance(value, str) else value


class _Lines:
    """What the writer has written and nobody has taken yet."""

    def __init__(self) -> None:
        self._written: list[str] = []

    def write(self, line: str) -> None:
        self._written.append(line)

    def taken(self) -> str:
        text = "".join(self._written)
        self._written.clear()
        return text
