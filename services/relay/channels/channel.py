"""What a channel is: something that takes one message and says how it went."""

import string
from collections.abc import Mapping
from enum import Enum
from typing import Any, NamedTuple, Protocol


class Message(NamedTuple):
    """One message: its identity, which is the same at each attempt, and what it says."""

    key: str
    payload: Mapping[str, Any]


class Went(Enum):
    """How a send went."""

    SENT = "sent"
    REFUSED = "refused"
    """The receiver did not take it: it may be sent again."""
    UNKNOWN = "unknown"
    """It may have been taken: the answer never came."""


class Outcome(NamedTuple):
    """How a send went, why, and how many seconds the receiver asks to be left alone.

    `why` holds nothing of the message and no secret: it is kept and logged.
    """

    went: Went
    why: str = ""
    after: float = 0.0


SENT = Outcome(Went.SENT)


class Channel(Protocol):
    """Sends messages, one at a time for each thread."""

    def send(self, message: Message) -> Outcome:
        """Send one message within the channel's time-out."""

    def close(self) -> None:
        """Let go of what it holds."""


def filled(template: str, payload: Mapping[str, Any], **more: str) -> str:
    """Fill the `$names` of a template from a payload; what the payload does not have stays empty."""
    given = {name: str(value) for name, value in payload.items()} | more
    wanted = string.Template(template).get_identifiers()
    return string.Template(template).safe_substitute({name: given.get(name, "") for name in wanted})
