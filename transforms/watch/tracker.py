"""The tracker: follows many parcels at once and tells what is news. A plain object; Beam only feeds and wakes it.

Events come in batches, in any order, any number of times. `take` folds them in, `settle` is called when the watermark
has passed a time and tells every absence that became news by then. What it remembers can be dumped and loaded.
"""

import sys
from collections.abc import Iterator
from typing import Optional

import msgspec
from msgspec import Struct, field

from schemas.events import Event, EventBatch, Origin
from schemas.fields import Micros
from schemas.policy import Policy
from schemas.rows import Alert, Status, Visit
from transforms.agenda import Agenda
from transforms.follow.journey import Journey, Scan, fold
from transforms.follow.status import digest, status
from transforms.visits.bursts import VALUABLE, bursts, closing_notice
from transforms.watch.deadlines import Deadline, alerts, deadlines, missed, next_due
from transforms.watch.telling import Told, disown, tell

LONG_AGO: Micros = -(1 << 62)


class Tracked(Struct, array_like=True):
    """One parcel in mind: its journey, the alerts told of it, when to look at it again, and its order's carriers."""

    journey: Journey
    told: Told = field(default_factory=dict)
    wake_ts: Optional[Micros] = None
    carriers: list[str] = field(default_factory=list)
    closed_told: Optional[Micros] = None
    stated: int = 0
    """Digest of the status told last."""


class Waiting(Struct, array_like=True):
    """An event that waits for its order: until when, and where it came from."""

    until: Micros
    event: Event
    origin: Optional[Origin] = None


class Memory(Struct, array_like=True):
    """Everything a tracker remembers."""

    settled: Micros = LONG_AGO
    parcels: dict[str, dict[str, Tracked]] = field(default_factory=dict)
    """By tracking number, then by order."""
    waiting: dict[str, list[Waiting]] = field(default_factory=dict)
    """Events whose order is not known yet, by tracking number."""
    doubted: Micros = LONG_AGO
    """Until when a life that was lost may have told what this one does not know of."""


class News(Struct):
    """What one step found out.

    Attributes:
        events: accepted events, each once.
        alerts: rows in the life of alerts.
        visits: pieces of visits of the parcels whose visits are followed live.
        unresolved: events whose order never became known.
        repeated: number of events that had been taken before.
        statuses: of the parcels whose status changed, if it is asked for.
        open: number of the parcels in mind that are still awaited; counted when something was due.
    """

    events: list[Event] = field(default_factory=list)
    alerts: list[Alert] = field(default_factory=list)
    visits: list[Visit] = field(default_factory=list)
    unresolved: list[Waiting] = field(default_factory=list)
    repeated: int = 0
    statuses: list[Status] = field(default_factory=list)
    open: Optional[int] = None


class Tracker:
    """Follows the parcels of one shard."""

    def __init__(self, policy: Policy, *, statuses: bool = False) -> None:
        """Start with nothing in mind; with `statuses`, tell how parcels stand whenever that changes."""
        self.policy = policy
        self.statuses = statuses
        self.memory = Memory()
        self._agenda = Agenda(self._entries)

    def take(self, batch: EventBatch) -> News:
        """Fold a batch of events in and give what is news at once."""
        news = News()
        touched: dict[int, Tracked] = {}
        might: dict[int, list[Alert]] = {}
        in_doubt = self._in_doubt()
        for place, event in enumerate(batch.events):
            tracked = self._find(event)
            if tracked is None:
                self._wait(event, batch.origins.get(place))
            else:
                if in_doubt:
                    might.setdefault(id(tracked), self._possible(tracked.journey))
                self._fold(tracked, event, news, touched)
                waiting = self.memory.waiting
                if event.tracking_number in waiting:
                    self._resolve(event.tracking_number, news, touched)
                if in_doubt:
                    # The lost life may have had this event, and not the next one, when it looked.
                    might[id(tracked)] += self._possible(tracked.journey)
        for tracked in touched.values():
            self._reassess(tracked, news)
            if in_doubt:
                self._disown(tracked, might.get(id(tracked), []), news)
            if self.statuses:
                self._state(tracked, news)
        return news

    def settle(self, until: Micros) -> News:
        """Tell every absence that is news now that the watermark has passed `until`; forget what is long over."""
        news = News()
        memory = self.memory
        memory.settled = max(memory.settled, until)
        for wake, tracking_number, order_id in self._agenda.due(until):
            if not order_id:
                self._give_up(tracking_number, until, news)
                continue
            tracked = memory.parcels.get(tracking_number, {}).get(order_id)
            if tracked is not None and tracked.wake_ts == wake:
                self._wake(tracked, until, news)
        news.open = sum(
            tracked.journey.closed_ts is None for orders in memory.parcels.values() for tracked in orders.values()
        )
        return news

    def doubt(self, until: Micros) -> None:
        """Take that a life that went on from here is lost: it may have told any absence that was due by then."""
        self.memory.doubted = max(self.memory.doubted, until)

    def next_wake(self) -> Micros | None:
        """Give the next time at which `settle` could have something to do."""
        return self._agenda.next()

    def dump(self) -> bytes:
        """Give all that is remembered."""
        return msgspec.msgpack.encode(self.memory)

    def load(self, dumped: bytes) -> None:
        """Remember what `dump` gave."""
        self.memory = msgspec.msgpack.decode(dumped, type=Memory)
        self._agenda.renew()

    def _entries(self) -> Iterator[tuple[Micros, str, str]]:
        """Give when to look at what: at parcels by their order; where there is none, at what waits for it."""
        for tracking_number, orders in self.memory.parcels.items():
            for order_id, tracked in orders.items():
                if tracked.wake_ts is not None:
                    yield tracked.wake_ts, tracking_number, order_id
        for tracking_number, waiting in self.memory.waiting.items():
            for one in waiting:
                yield one.until, tracking_number, ""

    def _find(self, event: Event) -> Tracked | None:
        """Give the parcel an event belongs to, a new one if need be; None while its order is unknown."""
        orders = self.memory.parcels.get(event.tracking_number)
        if event.order_id is not None:
            if orders is None:
                orders = self.memory.parcels[event.tracking_number] = {}
            tracked = orders.get(event.order_id)
            if tracked is None:
                tracked = orders[event.order_id] = Tracked(Journey(event.order_id, event.tracking_number))
            return tracked
        carried = [t for t in (orders or {}).values() if event.carrier in t.carriers]
        if not carried:
            return None
        # Waybill numbers are recycled: of the orders known by now, that which had begun last before the event is meant.
        return max(carried, key=lambda t: _nearness(t.journey, event.event_ts))

    def _fold(self, tracked: Tracked, event: Event, news: News, touched: dict[int, Tracked]) -> None:
        journey = tracked.journey
        if event.order_id is None:
            event.order_id = journey.order_id
        elif event.carrier is not None and event.carrier not in tracked.carriers:
            tracked.carriers.append(sys.intern(event.carrier))
        if not fold(journey, event):
            news.repeated += 1
            return
        news.events.append(event)
        touched[id(tracked)] = tracked

    def _wait(self, event: Event, origin: Origin | None) -> None:
        waiting = self.memory.waiting.setdefault(event.tracking_number, [])
        if all(other.event.event_id != event.event_id for other in waiting):
            # A late event waits no less than one that is on time.
            until = max(event.event_ts, self.memory.settled) + self.policy.intake.waybill_wait
            waiting.append(Waiting(until, event, origin))
            self._agenda.add((until, event.tracking_number, ""))

    def _resolve(self, tracking_number: str, news: News, touched: dict[int, Tracked]) -> None:
        still = []
        for one in self.memory.waiting.pop(tracking_number):
            tracked = self._find(one.event)
            if tracked is None:
                still.append(one)
            else:
                self._fold(tracked, one.event, news, touched)
        if still:
            self.memory.waiting[tracking_number] = still

    def _give_up(self, tracking_number: str, now: Micros, news: News) -> None:
        waiting = self.memory.waiting.pop(tracking_number, [])
        news.unresolved += [one for one in waiting if one.until <= now]
        still = [one for one in waiting if one.until > now]
        if still:
            self.memory.waiting[tracking_number] = still

    def _wake(self, tracked: Tracked, until: Micros, news: News) -> None:
        journey = tracked.journey
        # Told before it is forgotten: a coarse grid may wake it for both at once.
        self._reassess(tracked, news)
        if self._forget_ts(journey) <= until:
            orders = self.memory.parcels[journey.tracking_number]
            del orders[journey.order_id]
            if not orders:
                del self.memory.parcels[journey.tracking_number]

    def _reassess(self, tracked: Tracked, news: News) -> None:
        """Judge a parcel anew: tell its alerts, hand its scans to the visits, and note when to look again."""
        journey, settled = tracked.journey, self.memory.settled
        due = self._deadlines(journey)
        news.alerts += tell(tracked.told, alerts(journey, due, settled), settled)
        self._hand_over(tracked, news)
        wake = next_due(due, settled)
        forget = self._forget_ts(journey)
        wake = forget if wake is None else min(wake, forget)
        if wake != tracked.wake_ts:
            tracked.wake_ts = wake
            self._agenda.add((wake, journey.tracking_number, journey.order_id))

    def _deadlines(self, journey: Journey) -> list[Deadline]:
        return deadlines(journey, self.policy.limits_for(journey.carrier, journey.warehouse_id))

    def _in_doubt(self) -> bool:
        """Tell whether a lost life may have told what the watermark of this one has not passed yet."""
        return self.memory.doubted > self.memory.settled

    def _possible(self, journey: Journey) -> list[Alert]:
        """Give every alert that may be told of a parcel as it is known now."""
        return [missed(journey, deadline) for deadline in self._deadlines(journey)]

    def _disown(self, tracked: Tracked, might: list[Alert], news: News) -> None:
        """Take back what a lost life may have told of a parcel, of what looked missed at some moment."""
        journey, memory = tracked.journey, self.memory
        due = self._deadlines(journey)
        true = alerts(journey, due, memory.doubted)
        news.alerts += disown(tracked.told, might, true, memory.settled, memory.doubted)

    def _state(self, tracked: Tracked, news: News) -> None:
        """Tell how a parcel stands, unless that was told before."""
        now = status(tracked.journey)
        stated = digest(now)
        if stated != tracked.stated:
            tracked.stated = stated
            news.statuses.append(now)

    def _forget_ts(self, journey: Journey) -> Micros:
        keep = self.policy.memory
        if journey.closed_ts is not None:
            return journey.last_ts + keep.closed
        # Until its promise has passed there is still something to tell.
        return max(journey.last_ts, journey.promised_delivery_ts or 0) + keep.silent

    def _hand_over(self, tracked: Tracked, news: News) -> None:
        """Hand the carrier's scans to the visits, once the parcel is one whose visits are followed."""
        journey, rule = tracked.journey, self.policy.visits
        if rule.parcels == "none":
            journey.scans = []
        elif rule.parcels == "all" or journey.declared_value >= rule.high_value:
            scans: list[Scan] = journey.scans
            journey.scans = []
            # In doubt scan by scan: after any of them a lost life may have found silence.
            parts = [[scan] for scan in scans] if self._in_doubt() else [scans]
            pieces = [
                piece for part in parts for piece in bursts(journey.order_id, journey.tracking_number, part, rule.gap)
            ]
            if journey.declared_value >= rule.high_value:
                for piece in pieces:
                    piece.visit_id = VALUABLE
            news.visits += pieces
            closed = journey.closed_ts
            if closed is not None and closed != tracked.closed_told:
                tracked.closed_told = closed
                news.visits.append(closing_notice(journey.order_id, journey.tracking_number, closed))


def _nearness(journey: Journey, ts: Micros) -> tuple[bool, Micros, str]:
    begun = min(journey.first.values())
    return (begun <= ts, begun if begun <= ts else -begun, journey.order_id)
