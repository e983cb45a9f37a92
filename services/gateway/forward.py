"""The forwarder: drains the gateway's own spool into a broker, in order, whether the broker is there or not.

Everything goes by the spool, so an outage of the broker is no special case: the spool grows, and shrinks again. A batch
is noted as done only once the broker has all of it; killed before that, it is published again. So events come at least
once, and those of a parcel in order: whatever repeats does so from its beginning.
"""

import os
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path

import msgspec
from msgspec import Struct

from schemas.spool import Place, note_done
from schemas.spool_tail import SpoolTail
from services.gateway.brokers.broker import Away, Broker, Message
from services.gateway.metrics import Metrics
from services.gateway.talk import SELDOM, Seldom, say
from transforms.tell.patience import full_jitter

BATCH_BYTES = 512 * 1024
"""Bytes published at a time."""
LOOK = 1.0
"""Seconds between two looks at the spool when nobody says that something was written."""
FIRST_WAIT, LONGEST_WAIT = 0.2, 5.0
"""Seconds up to which a broker that was away is left alone: after the first failure, and at most."""


class _Keyed(Struct):
    tracking_number: str


_KEYED = msgspec.json.Decoder(_Keyed)


class Forwarder(threading.Thread):
    """Forwards until it is stopped."""

    def __init__(self, folder: Path, broker: Broker, metrics: Metrics) -> None:
        """Take the spool's folder and the broker."""
        super().__init__(name="forwarder", daemon=True)
        self.folder = folder
        self.broker = broker
        self.metrics = metrics
        self.fault: Exception | None = None
        self._seldom = Seldom(SELDOM)
        self._written = threading.Event()
        self._ending = threading.Event()

    def wake(self) -> None:
        """Say that something was written."""
        self._written.set()

    def stop(self, patience: float) -> None:
        """End after the batch that is under way, or give it up after some seconds; the spool keeps what is not done."""
        self._ending.set()
        self._written.set()
        self.join(patience)
        self.broker.close()

    def run(self) -> None:
        """Forward what there is, and wait for more."""
        tail = SpoolTail(self.folder)
        place: Place | None = None
        try:
            while not self._ending.is_set():
                self._written.clear()
                place, moved = self._step(tail, place)
                if not moved:
                    self._written.wait(LOOK)
        except Exception as fault:
            # Without it the spool would only grow: the whole gateway ends, and whoever runs it sees why.
            self.fault = fault
            say("forwarder_failed", why=type(fault).__name__)
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            tail.close()

    def _step(self, tail: SpoolTail, place: Place | None) -> tuple[Place | None, bool]:
        """Forward the next batch; give the place after it, and whether there was anything."""
        try:
            place = place or tail.begin()
            found = tail.read(place, BATCH_BYTES) if place else None
        except OSError as fault:
            tail.close()
            self._seldom.say("spool_unreadable", why=fault.strerror or type(fault).__name__)
            return place, False
        if found is None or found.after == place:
            return place, False
        if found.lines and not self._publish([message(line) for line in found.lines.split(b"\n")]):
            return place, False
        # A disk that cannot note it now may later: the place is asked for only after a restart, and never goes back.
        with suppress(OSError):
            note_done(self.folder, found.after)
        return found.after, True

    def _publish(self, messages: list[Message]) -> bool:
        """Publish a batch, however often that must be tried; give False if the end came first."""
        failures, since = 0, 0.0
        while not self._ending.is_set():
            try:
                self.broker.publish(messages, self._ending)
            except Away as fault:
                failures += 1
                if failures == 1:
                    since = time.monotonic()
                    self.metrics.away.set(1)
                    say("broker_away", broker=self.broker.name, why=str(fault))
                self._ending.wait(full_jitter(failures, FIRST_WAIT, LONGEST_WAIT))
                continue
            self.metrics.forwarded.inc(len(messages))
            if failures:
                self.metrics.away.set(0)
                say("broker_back", broker=self.broker.name, seconds=round(time.monotonic() - since, 1))
            return True
        return False


def message(line: bytes) -> Message:
    """Give a line as the message of its parcel."""
    try:
        return Message(_KEYED.decode(line).tracking_number, line)
    except msgspec.DecodeError:
        # Nothing of the gateway's writing; whoever reads the topic will say what is wrong with it.
        return Message("", line)
