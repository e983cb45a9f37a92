"""The relay at work: for each channel some senders of their own, so that one which hangs holds nobody else."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any, Optional

from schemas.fields import SECOND
from schemas.news import DEAD, FAILED
from services.relay.channels.channel import Channel, Message, Outcome, Went
from services.relay.config import ChannelConfig, RelayConfig
from services.relay.metrics import Metrics
from services.relay.outbox import Item, Outbox
from services.tokens import Links
from transforms.tell.patience import full_jitter
from transforms.tell.store import StoreError

LOG = logging.getLogger("milepost.relay")

GAUGED = 5.0
"""Seconds between two looks at how much is waiting."""


class Sender(threading.Thread):
    """Claims rows of one channel and sends them one by one, until it is told to stop."""

    def __init__(
        self,
        name: str,
        channel: Channel,
        config: ChannelConfig,
        relay: RelayConfig,
        outbox: Outbox,
        metrics: Metrics,
        stop: threading.Event,
        *,
        links: Optional[Links] = None,
        drain: bool = False,
    ) -> None:
        """Take the channel and what governs it, and who makes links; with `drain`, end when nothing is due."""
        super().__init__(name=f"sender {name}", daemon=True)
        self.channel_name = name
        self.channel = channel
        self.config = config
        self.outbox = outbox
        self.metrics = metrics
        self.stop = stop
        self.links = links
        self.drain = drain
        self.once = config.after_timeout == "at_most_once"
        self.batch, self.lease, self.poll = relay.batch, relay.lease / SECOND, relay.poll / SECOND

    def run(self) -> None:
        """Send until told to stop; a database that is away is waited for."""
        faults = 0
        while not self.stop.is_set():
            try:
                found = self._send_batch()
                faults = 0
            except StoreError as fault:
                faults += 1
                self.metrics.away.inc()
                LOG.warning({"event": "database_away", "channel": self.channel_name, "why": str(fault)})
                self.stop.wait(full_jitter(faults, 0.5, 15))
                continue
            if not found:
                if self.drain:
                    return
                self.stop.wait(self.poll)

    def _send_batch(self) -> bool:
        """Send what is due, as much as is claimed at a time; tell whether there was anything."""
        items = self.outbox.claim(self.channel_name, self.batch, self.lease, once=self.once)
        began = time.monotonic()
        counted: Counter[str] = Counter()
        for place, item in enumerate(items):
            if self.stop.is_set():
                self.outbox.release(item.claim)
                counted["released"] = len(items) - place
                break
            # A lease that ran out while others of the batch were slow is another relay's.
            if not self.outbox.begin(item, self.lease):
                counted["lost"] += 1
                continue
            counted[self._send(item)] += 1
        if items:
            took = round((time.monotonic() - began) * 1_000)
            LOG.info({"event": "batch", "channel": self.channel_name, "rows": len(items), **counted, "ms": took})
        return bool(items)

    def _send(self, item: Item) -> str:
        began = time.monotonic()
        try:
            outcome = self.channel.send(Message(item.key, self._payload(item)))
        except Exception as fault:
            # A channel that breaks must not take its sender along; its words may quote the message.
            LOG.error({"event": "broken", "channel": self.channel_name, "why": type(fault).__name__})
            outcome = Outcome(Went.UNKNOWN, f"the channel broke ({type(fault).__name__})")
        self.metrics.seconds.labels(self.channel_name).observe(time.monotonic() - began)
        self.metrics.sends.labels(self.channel_name, outcome.went.value).inc()
        return self._note(item, outcome)

    def _payload(self, item: Item) -> Mapping[str, Any]:
        # Made when it goes out: the outbox holds nothing that opens a page.
        if self.links is None:
            return item.payload
        return item.payload | {"track_url": self.links.make(item.order_id, item.tracking_number)}

    def _note(self, item: Item, outcome: Outcome) -> str:
        """Note how a send went; what was sent is noted however long the database is away, or it would be sent again."""
        if outcome.went is Went.SENT:
            self._note_sent(item)
            return "sent"
        attempts = item.attempts + 1
        if outcome.went is Went.UNKNOWN and self.once:
            self.outbox.failed(item, outcome.why)
            self.metrics.ended.labels(self.channel_name, FAILED).inc()
            return FAILED
        if attempts >= self.config.tries:
            self.outbox.dead(item, outcome.why)
            self.metrics.ended.labels(self.channel_name, DEAD).inc()
            return DEAD
        wait = full_jitter(attempts, self.config.first_wait / SECOND, self.config.longest_wait / SECOND)
        self.outbox.again(item, max(wait, outcome.after), outcome.why)
        return str(outcome.went.value)

    def _note_sent(self, item: Item) -> None:
        while True:
            try:
                return self.outbox.sent(item)
            except StoreError:
                self.metrics.away.inc()
                if self.stop.is_set():
                    raise


class Relay:
    """All channels of one configuration."""

    def __init__(self, config: RelayConfig, address: str, *, drain: bool = False) -> None:
        """Make the channels.

        Raises:
            UsageError: a secret is not set.
        """
        self.metrics = Metrics()
        self.stop = threading.Event()
        self.channels: Mapping[str, Channel] = {name: one.make() for name, one in config.channel.items()}
        self.outbox = Outbox(address, connections=1 + sum(one.senders for one in config.channel.values()))
        self.longest = max((one.timeout / SECOND for one in config.channel.values()), default=0.0)
        links = Links(config.track) if config.track is not None else None
        self.senders = [
            Sender(
                name, self.channels[name], one, config, self.outbox, self.metrics, self.stop, links=links, drain=drain
            )
            for name, one in config.channel.items()
            for _ in range(one.senders)
        ]

    def run(self) -> None:
        """Send until told to stop, or when draining until nothing is due; then let each sender finish its message."""
        LOG.info({"event": "started", "channels": sorted(self.channels)})
        for sender in self.senders:
            sender.start()
        gauged = 0.0
        while not self.stop.is_set() and any(sender.is_alive() for sender in self.senders):
            if time.monotonic() - gauged > GAUGED:
                gauged = time.monotonic()
                self._gauge()
            self.stop.wait(0.1)
        until = time.monotonic() + self.longest + 15
        for sender in self.senders:
            sender.join(max(0.0, until - time.monotonic()))
        for channel in self.channels.values():
            channel.close()
        self.outbox.close()
        LOG.info({"event": "stopped"})

    def _gauge(self) -> None:
        try:
            depths = {one.channel: one for one in self.outbox.depth()}
        except StoreError:
            return
        for name in self.channels.keys() | depths.keys():
            found = depths.get(name)
            self.metrics.waiting.labels(name).set(found.rows if found else 0)
            self.metrics.oldest.labels(name).set(found.oldest if found else 0)
