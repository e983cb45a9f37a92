"""Which alerts somebody wants to see: the words of the address, read into a choice and written back."""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Optional
from urllib.parse import urlencode

from schemas.alerts import KINDS
from schemas.fields import Micros
from schemas.settings import Duration
from services.desk.rows import OpenAlert, Share

NONE = "-"
"""Stands for what an alert does not have: no carrier known, nobody who has it."""

STATES = ("new", "acknowledged")
SORTS = ("newest", "oldest")
AGES = ("1 h", "4 h", "24 h", "3 d", "7 d")
LONGEST = 1024
"""Letters that a word may have."""

_AFTER = re.compile(r"(-?\d{1,17})_([0-9a-f]{1,64})", re.ASCII)


class ChoiceError(ValueError):
    """Words that make no choice; its text is one clear sentence."""


class Choice(NamedTuple):
    """A choice of open alerts. An empty word chooses all."""

    kind: str = ""
    carrier: str = ""
    warehouse: str = ""
    state: str = ""
    assignee: str = ""
    age: str = ""
    """At least so long past due."""
    q: str = ""
    """How an order's or a tracking number begins."""
    sort: str = "newest"
    after: str = ""
    """The alert before the first one of this page: its due time and id."""

    @property
    def longer_than(self) -> Micros:
        """Give the age in microseconds, 0 for any."""
        return Duration.of(self.age) if self.age else 0

    @property
    def begins_after(self) -> Optional[tuple[Micros, str]]:
        """Give the place after which the page begins."""
        match = _AFTER.fullmatch(self.after)
        return (int(match[1]), match[2]) if match else None

    @property
    def narrow(self) -> bool:
        """Tell whether it leaves any alert out."""
        return any(self[: Choice._fields.index("sort")])

    def query(self, **changes: str) -> str:
        """Give it as the query of an address; what is not said otherwise stays.

        >>> Choice(kind="exception").query(after="5_a")
        'kind=exception&after=5_a'
        """
        said = self._replace(**changes)._asdict()
        return urlencode({name: word for name, word in said.items() if word and word != Choice._field_defaults[name]})

    @staticmethod
    def place(last: OpenAlert) -> str:
        """Give the place after an alert."""
        return f"{last.due_ts}_{last.alert_id}"


def read_choice(words: Mapping[str, str]) -> Choice:
    """Read the words of an address; those that are no filter are left alone.

    Raises:
        ChoiceError: a word is none that can be chosen.
    """
    words = {**words, "q": words.get("q", "").strip()}
    choice = Choice(**{name: words[name] for name in Choice._fields if words.get(name)})
    known = {"kind": KINDS, "state": STATES, "sort": SORTS, "age": AGES}
    for name, word in choice._asdict().items():
        # No database takes a NUL in text.
        if len(word) > LONGEST or "\0" in word:
            raise ChoiceError(f"What {name} asks for is too long, or is no text.")
        if word and word not in known.get(name, (word,)):
            raise ChoiceError(f"There is no {name} like that.")
    if choice.after and choice.begins_after is None:
        raise ChoiceError("The page that was asked for is none of the queue's.")
    return choice


class Overview:
    """How the open alerts divide: for counts beside what can be chosen."""

    def __init__(self, shares: Iterable[Share]) -> None:
        """Take the shares."""
        self.shares = list(shares)
        self.open = sum(share.alerts for share in self.shares)
        self.new = sum(share.alerts for share in self.shares if not share.acknowledged)

    def by(self, column: str) -> list[tuple[str, int]]:
        """Give the values of a column, each with its number of alerts; None is `NONE`, and comes last."""
        counts: dict[str, int] = {}
        for share in self.shares:
            value = getattr(share, column)
            word = NONE if value is None else str(value)
            counts[word] = counts.get(word, 0) + share.alerts
        return sorted(counts.items(), key=_none_last)

    def count(self, choice: Choice) -> Optional[int]:
        """Give how many alerts a choice has; None where the shares do not tell."""
        if choice.q or choice.age:
            return None
        wanted = {"kind": choice.kind, "carrier": choice.carrier, "warehouse_id": choice.warehouse,
                  "assignee": choice.assignee}  # fmt: skip
        return sum(
            share.alerts
            for share in self.shares
            if all(not word or (getattr(share, name) or NONE) == word for name, word in wanted.items())
            and (not choice.state or share.acknowledged == (choice.state == "acknowledged"))
        )


def _none_last(value: tuple[str, int]) -> tuple[bool, str]:
    return value[0] == NONE, value[0]
