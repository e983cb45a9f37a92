"""A process's hold on a Pub/Sub subscription: messages pulled ahead, and kept until they are done for good.

Pub/Sub forgets a message once it is acknowledged, and gives it again, to anyone, once its lease is over. So that
a reader can be made anew from its mark, the messages are numbered here and kept, their leases extended, until the
engine has put away a mark behind them; then they are acknowledged. If the process ends, their leases do.
"""

import logging
import random
import threading
import time
from typing import NamedTuple

from google.api_core.exceptions import DeadlineExceeded, GoogleAPICallError
from google.cloud.pubsub_v1 import SubscriberClient

LOG = logging.getLogger(__name__)

AT_ONCE = 1_000
"""Messages that are pulled, extended or acknowledged with one call."""
KEPT = 500_000
KEPT_BYTES = 256 * 1024 * 1024
"""How much is kept at most; then nothing more is pulled until some of it is done."""
LEASE = 60
"""Seconds of a lease."""
EXTEND = 20.0
"""Seconds after which leases are extended."""
WAIT = 5.0
"""Seconds that a pull waits for messages."""
ABANDONED = 600.0
"""Seconds without a reader after which everything is given back: the job has gone, or goes on elsewhere."""


class Message(NamedTuple):
    """A message that is kept."""

    receipt: str
    body: bytes


class Puller:
    """Pulls from one subscription in the background.

    Attributes:
        ident: tells the puller from any other, here or in another process.
        first: number of the first message that is kept.
        last: number of the last message pulled; they are numbered from 1.
        empty: the monotonic time at which Pub/Sub last had nothing to give; 0 if never, or if it has since.
        fault: why nothing can be pulled now; None where something can.
    """

    def __init__(self, subscription: str) -> None:
        """Begin to pull."""
        self.subscription = subscription
        self.ident = random.getrandbits(62)
        self.client = SubscriberClient()
        self.first, self.last = 1, 0
        self.empty = 0.0
        self.fault: str | None = None
        self.used = time.monotonic()
        self._messages: dict[int, Message] = {}
        self._bytes = 0
        self._done: list[str] = []
        self._changed = threading.Condition()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._pull, self._keep)]
        for thread in self._threads:
            thread.start()

    def after(self, number: int, most: int, patience: float) -> list[Message]:
        """Give the messages behind one, at most so many; wait for the first, at most so many seconds."""
        self.used = time.monotonic()
        with self._changed:
            self._changed.wait_for(lambda: self.last > number or self._over.is_set(), patience)
            upto = min(self.last, number + most)
            return [self._messages[one] for one in range(max(number + 1, self.first), upto + 1)]

    def finish(self, number: int) -> None:
        """Acknowledge all messages up to one, soon."""
        with self._changed:
            while self.first <= min(number, self.last):
                message = self._messages.pop(self.first)
                self._bytes -= len(message.body)
                self._done.append(message.receipt)
                self.first += 1
            self._changed.notify_all()

    def answers(self, patience: float) -> bool:
        """Tell whether Pub/Sub answers at all: that a pull gives nothing may have other reasons."""
        try:
            self.client.get_subscription(request={"subscription": self.subscription}, timeout=patience, retry=None)
        except GoogleAPICallError as fault:
            # To be refused is an answer, too.
            self.fault = str(fault.message) if fault.code is None or fault.code >= 500 else None
        else:
            self.fault = None
        return self.fault is None

    def close(self) -> None:
        """End: acknowledge what is done, give back the rest."""
        self._over.set()
        with self._changed:
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(2 * WAIT + 1)

    @property
    def closed(self) -> bool:
        """Tell whether it has ended."""
        return self._over.is_set()

    def _pull(self) -> None:
        pause = 0.0
        while not self._over.wait(pause):
            with self._changed:
                self._changed.wait_for(lambda: self._over.is_set() or self._room(), 1.0)
                if self._over.is_set() or not self._room():
                    continue
            try:
                request = {"subscription": self.subscription, "max_messages": AT_ONCE}
                began = time.monotonic()
                pulled = self.client.pull(request=request, timeout=WAIT, retry=None).received_messages
                self._take([Message(one.ack_id, one.message.data) for one in pulled], began)
                if pulled and not self._over.is_set():
                    self._extend([one.ack_id for one in pulled], LEASE)
            except DeadlineExceeded:
                # It waited for messages, and none came; or nobody was there to send them.
                self._take([], began)
                pause = 0.0
                continue
            except GoogleAPICallError as fault:
                self.fault = str(fault.message)
                pause = min(max(pause * 2, 0.2), 5.0)
                continue
            pause, self.fault = 0.0, None

    def _room(self) -> bool:
        return len(self._messages) < KEPT and self._bytes < KEPT_BYTES

    def _take(self, pulled: list[Message], began: float) -> None:
        with self._changed:
            self.empty = 0.0 if pulled else began
            for message in pulled:
                self.last += 1
                self._messages[self.last] = message
                self._bytes += len(message.body)
            self._changed.notify_all()

    def _keep(self) -> None:
        """Acknowledge what is done, extend the leases of what is not; when nobody reads any more, give it back."""
        extended = time.monotonic()
        while True:
            over = self._over.wait(0.2)
            now = time.monotonic()
            if now - self.used > ABANDONED:
                over = True
                self._over.set()
            if over:
                # What is given back must not go to a pull that still waits.
                self._threads[0].join(WAIT + 1)
            with self._changed:
                done, self._done = self._done, []
                left = [message.receipt for message in self._messages.values()]
            try:
                self._acknowledge(done)
                if over:
                    self._extend(left, 0)
                elif now - extended > EXTEND:
                    self._extend(left, LEASE)
                    extended = now
            except GoogleAPICallError as fault:
                # Leases that are lost meanwhile are given again; whatever follows knows its events.
                LOG.debug("%s: %s", self.subscription, fault)
                with self._changed:
                    self._done = done + self._done
            if over:
                return

    def _acknowledge(self, receipts: list[str]) -> None:
        while receipts:
            request = {"subscription": self.subscription, "ack_ids": receipts[:AT_ONCE]}
            self.client.acknowledge(request=request, timeout=WAIT, retry=None)
            del receipts[:AT_ONCE]

    def _extend(self, receipts: list[str], seconds: int) -> None:
        for at in range(0, len(receipts), AT_ONCE):
            request = {
                "subscription": self.subscription,
                "ack_ids": receipts[at : at + AT_ONCE],
                "ack_deadline_seconds": seconds,
            }
            self.client.modify_ack_deadline(request=request, timeout=WAIT, retry=None)


_PULLERS: dict[tuple[str, int], Puller] = {}
_GUARD = threading.Lock()


def puller_of(subscription: str, part: int) -> Puller:
    """Give this process's puller of a part of a subscription; it pulls from then on.

    Raises:
        google.auth.exceptions.GoogleAuthError: there are no credentials.
    """
    with _GUARD:
        puller = _PULLERS.get((subscription, part))
        if puller is None or puller.closed:
            puller = _PULLERS[subscription, part] = Puller(subscription)
        return puller


def running(subscription: str, part: int) -> Puller | None:
    """Give the puller if there is one."""
    return _PULLERS.get((subscription, part))


def close_puller(subscription: str, part: int) -> None:
    """End a puller, if there is one."""
    with _GUARD:
        puller = _PULLERS.pop((subscription, part), None)
    if puller:
        puller.close()
