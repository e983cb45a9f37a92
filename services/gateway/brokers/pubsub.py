"""A Pub/Sub topic: events of one parcel have one ordering key.

The key is one of a number of lanes and not the waybill: Pub/Sub's library publishes each key by requests of its own,
and a request for each parcel would be a request for nearly each event.
"""

import concurrent.futures
import threading
import zlib
from collections.abc import Sequence
from typing import Any

from google.api_core.exceptions import GoogleAPIError
from google.auth.exceptions import GoogleAuthError
from google.cloud.pubsub_v1 import PublisherClient
from google.cloud.pubsub_v1.types import BatchSettings, PublisherOptions

from pipelines.errors import UsageError
from services.gateway.brokers.broker import Away, Message

LANES = 32
"""Ordering keys; each carries about 1 MB/s."""
PATIENCE = 30.0
"""Seconds in which the topic must have taken a batch."""


class PubSubBroker:
    """Publishes with ordering keys. `PUBSUB_EMULATOR_HOST` names an emulator to be used instead."""

    def __init__(self, project: str, topic: str) -> None:
        """Take the names of the project and the topic.

        Raises:
            UsageError: there are no credentials.
        """
        self.name = f"pubsub://{project}/{topic}"
        self.topic = f"projects/{project}/topics/{topic}"
        try:
            self._client: Any = self._make()
        except GoogleAuthError as fault:
            raise UsageError(f"{self.name} cannot be used: {str(fault).splitlines()[0].rstrip('.')}.") from fault

    def publish(self, messages: Sequence[Message], stop: threading.Event) -> None:
        """Publish messages; those of one key in their order."""
        try:
            self._client = self._client or self._make()
            futures = [self._client.publish(self.topic, one.line, ordering_key=lane(one.key)) for one in messages]
            waiting, left = set(futures), PATIENCE
            while waiting and left > 0 and not stop.is_set():
                waiting = concurrent.futures.wait(waiting, 0.5, concurrent.futures.FIRST_EXCEPTION).not_done
                left -= 0.5
                if any(future.done() and future.exception() for future in futures):
                    break
            if waiting:
                raise Away(_first_fault(futures) or "no answer in time")
            for future in futures:
                future.result()
        except (GoogleAPIError, GoogleAuthError) as fault:
            self.close()
            raise Away(type(fault).__name__) from fault
        except Away:
            self.close()
            raise

    def close(self) -> None:
        """Drop the client. After a failure its ordering keys take nothing more, so a new one is made."""
        client, self._client = self._client, None
        if client is not None:
            # It would wait for what it still tries to send.
            threading.Thread(target=client.stop, daemon=True).start()

    def _make(self) -> Any:  # noqa: ANN401
        return PublisherClient(
            batch_settings=BatchSettings(max_messages=1000, max_bytes=1024 * 1024, max_latency=0.01),
            publisher_options=PublisherOptions(enable_message_ordering=True, timeout=PATIENCE),
        )


def lane(key: str) -> str:
    """Give the ordering key of a waybill.

    >>> lane("T1") == lane("T1")
    True
    """
    return str(zlib.crc32(key.encode()) % LANES)


def _first_fault(futures: Sequence[Any]) -> str:
    faults = (future.exception() for future in futures if future.done())
    return next((type(fault).__name__ for fault in faults if fault), "")
