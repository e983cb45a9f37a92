"""Silence: a valuable parcel of which nothing was heard for a session gap, while the carrier had it.

The rule is pure; the watcher beside it is a plain object that Beam feeds with pieces of visits as they come in, and
with whole visits when their session closes. The closing is the clock: it tells that the watermark has passed the gap.
"""

from collections.abc import Iterator
from typing import Optional, Union

import msgspec
from msgspec import Struct, field

from schemas.alerts import SILENT, cleared, raised
from schemas.fields import Micros, to_text
from schemas.policy import Policy
from schemas.rows import Alert, Visit
from transforms.agenda import Agenda
from transforms.visits.bursts import VALUABLE, join
from transforms.watch.telling import Life, Told, disown, tell


def silences(visits: list[Visit], closed_ts: Micros | None, gap: int, horizon: Micros) -> list[Life]:
    """Give the lives of a parcel's silence alerts as of the horizon.

    Args:
        visits: all visits of the parcel, in order of time.
        closed_ts: when nobody waited for its delivery any more.
        gap: microseconds of silence that end a visit.
        horizon: no silence that ends its gap later counts.
    """
    lives: list[Life] = []
    for place, visit in enumerate(visits):
        due = visit.end_ts + gap
        resumed = visits[place + 1].start_ts if place + 1 < len(visits) else None
        if due > horizon or (closed_ts is not None and closed_ts <= due):
            break
        if resumed == due:
            continue
        alert = silent(visit, gap)
        if resumed is not None and (closed_ts is None or resumed <= closed_ts):
            lives.append((alert, cleared(alert, resumed, "heard of again")))
        elif closed_ts is not None:
            lives.append((alert, cleared(alert, closed_ts, "closed")))
        else:
            lives.append((alert,))
    return lives


def silent(visit: Visit, gap: int) -> Alert:
    """Give the alert that a visit raises when nothing is heard for a gap after it."""
    evidence = f"silent since {to_text(visit.end_ts)}"
    return raised(visit.order_id, visit.tracking_number, SILENT, visit.end_ts + gap, evidence)


class Heard(Struct, array_like=True):
    """One parcel as far as its visits are known."""

    visits: list[Visit] = field(default_factory=list)
    closed_ts: Optional[Micros] = None
    valuable: bool = False
    settled: Micros = 0
    told: Told = field(default_factory=dict)


class Remembered(Struct, array_like=True):
    """All that a watcher remembers."""

    parcels: dict[str, Heard]
    doubted: Micros = 0


class SilenceWatcher:
    """Watches the parcels of one shard for silence."""

    def __init__(self, policy: Policy) -> None:
        """Start with nothing in mind."""
        self.policy = policy
        self.memory: dict[str, Heard] = {}
        self.doubted: Micros = 0
        """Until when a life that was lost may have told what this one does not know of."""
        self._agenda = Agenda(self._entries)

    def take(self, pieces: list[Visit]) -> list[Alert]:
        """Take pieces of visits (or whole ones, marked closed) and give the rows of alerts that are news."""
        gap = self.policy.visits.gap
        touched: dict[str, list[Visit]] = {}
        for piece in pieces:
            touched.setdefault(f"{piece.order_id}\x1f{piece.tracking_number}", []).append(piece)
        news: list[Alert] = []
        for parcel, said in touched.items():
            heard = self.memory.setdefault(parcel, Heard())
            before = heard.visits
            for piece in said:
                heard.valuable = heard.valuable or piece.visit_id == VALUABLE
                if piece.ended_ts is not None and (heard.closed_ts is None or piece.ended_ts < heard.closed_ts):
                    heard.closed_ts = piece.ended_ts
                if piece.closed:
                    heard.settled = max(heard.settled, piece.end_ts + gap)
            heard.visits = join((*heard.visits, *(piece for piece in said if piece.events)), gap)
            lives = silences(heard.visits, heard.closed_ts, gap, heard.settled) if heard.valuable else []
            news += tell(heard.told, lives, heard.settled)
            if heard.valuable and self.doubted > heard.settled:
                might = [silent(visit, gap) for visit in (*before, *said, *heard.visits) if visit.events]
                true = silences(heard.visits, heard.closed_ts, gap, self.doubted)
                news += disown(heard.told, might, true, heard.settled, self.doubted)
            self._agenda.add((self._forget_ts(heard), parcel))
        return news

    def settle(self, until: Micros) -> list[Alert]:
        """Forget the parcels that are long over; nothing becomes news by that."""
        for _, parcel in self._agenda.due(until):
            if parcel in self.memory and self._forget_ts(self.memory[parcel]) <= until:
                del self.memory[parcel]
        return []

    def doubt(self, until: Micros) -> None:
        """Take that a life that went on from here is lost: it may have told any silence that was due by then."""
        self.doubted = max(self.doubted, until)

    def next_wake(self) -> Micros | None:
        """Give the next time at which `settle` could have something to do."""
        return self._agenda.next()

    def dump(self) -> bytes:
        """Give all that is remembered."""
        return msgspec.msgpack.encode(Remembered(self.memory, self.doubted))

    def load(self, dumped: bytes) -> None:
        """Remember what `dump` gave."""
        # Of an older version it is the parcels alone.
        found = msgspec.msgpack.decode(dumped, type=Union[Remembered, dict[str, Heard]])
        remembered = found if isinstance(found, Remembered) else Remembered(found)
        self.memory, self.doubted = remembered.parcels, remembered.doubted
        self._agenda.renew()

    def _entries(self) -> Iterator[tuple[Micros, str]]:
        return ((self._forget_ts(heard), parcel) for parcel, heard in self.memory.items())

    def _forget_ts(self, heard: Heard) -> Micros:
        newest = heard.visits[-1].end_ts if heard.visits else heard.closed_ts or 0
        keep = self.policy.memory
        return newest + (keep.silent if heard.closed_ts is None else keep.closed)
