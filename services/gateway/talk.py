"""What the gateway says: one JSON object a line, of its own life and never of a request, to stderr."""

import logging
import time

LOG = logging.getLogger("milepost.gateway")

SELDOM = 60.0
"""Seconds between two lines of one kind about one sender."""


def say(event: str, **more: object) -> None:
    """Say that something happened; `more` holds no secret, and nothing of a body."""
    LOG.info({"event": event} | more)


class Seldom:
    """Says things, each kind of thing of each sender now and then: no stranger can fill the log."""

    def __init__(self, seconds: float) -> None:
        """Take the seconds between two lines."""
        self.seconds = seconds
        self._said: dict[tuple[str, str], tuple[float, int]] = {}

    def say(self, event: str, sender: str = "", **more: object) -> None:
        """Say that something happened, and how often it did since that was last said; or just count it."""
        last, times = self._said.get((event, sender), (float("-inf"), 0))
        now = time.monotonic()
        if now - last < self.seconds:
            self._said[event, sender] = (last, times + 1)
        else:
            self._said[event, sender] = (now, 0)
            say(event, **({"sender": sender} if sender else {}), **more, since=times + 1)
