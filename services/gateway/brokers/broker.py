"""What a broker is to the gateway: something that takes lines and tells when it has them."""

import threading
from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Message(NamedTuple):
    """A line of the contract's JSON, and whose it is: messages of one key stay in order."""

    key: str
    line: bytes


class Away(Exception):
    """The broker did not take everything; the text is for the log, and holds no secret and nothing of a line."""


class Broker(Protocol):
    """Publishes messages, for one thread."""

    name: str
    """As its user names it."""

    def publish(self, messages: Sequence[Message], stop: threading.Event) -> None:
        """Publish messages in their order; when this returns, the broker has all of them.

        Args:
            messages: what to publish.
            stop: set when nobody waits for this any more; it may then give up.

        Raises:
            Away: it may have some of them, and did not acknowledge all: the same may be published once more.
        """

    def close(self) -> None:
        """Let go of the connection, and of whatever has not been published."""
