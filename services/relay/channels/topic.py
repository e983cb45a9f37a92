"""A Pub/Sub topic; the message's key travels as an attribute."""

import concurrent.futures
import json
from typing import Any

from services.relay.channels.channel import SENT, Message, Outcome, Went


class Topic:
    """Publishes each message and waits until the topic has it."""

    def __init__(self, topic: str, timeout: float) -> None:
        """Take the topic, as projects/PROJECT/topics/TOPIC, and the seconds a send may take."""
        # Only who sends to a topic pays for loading its client.
        from google.cloud import pubsub_v1

        self.topic = topic
        self.timeout = timeout
        self.publisher: Any = pubsub_v1.PublisherClient()

    def send(self, message: Message) -> Outcome:
        """Publish one message."""
        from google.api_core.exceptions import DeadlineExceeded, GoogleAPIError, RetryError, Unknown

        data = json.dumps(dict(message.payload), separators=(",", ":"), ensure_ascii=False).encode()
        try:
            future = self.publisher.publish(
                self.topic, data, idempotency_key=message.key, milestone=str(message.payload["milestone"])
            )
            future.result(self.timeout)
        except (concurrent.futures.TimeoutError, DeadlineExceeded, RetryError, Unknown) as fault:
            return Outcome(Went.UNKNOWN, f"no answer ({type(fault).__name__})")
        except GoogleAPIError as fault:
            return Outcome(Went.REFUSED, f"not published ({type(fault).__name__})")
        return SENT

    def close(self) -> None:
        """Publish what is under way and end the client's threads."""
        self.publisher.stop()
