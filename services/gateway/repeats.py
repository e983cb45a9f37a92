"""Repeats: bodies that were taken a while ago, known by their digests, so that they are answered without work."""

import hashlib
from collections import OrderedDict


def digest(sender: str, body: bytes) -> bytes:
    """Give the identity of a body from a sender, in 16 bytes."""
    return hashlib.blake2b(body, digest_size=16, key=sender.encode()[:64]).digest()


class Repeats:
    """The digests of what was taken in a window of time, a bounded number of them. Downstream dedupes all the rest."""

    def __init__(self, window: float, count: int) -> None:
        """Take the window in seconds, and how many digests are kept at most."""
        self.window = window
        self.count = count
        self._taken: OrderedDict[bytes, float] = OrderedDict()

    def seen(self, identity: bytes, now: float) -> bool:
        """Tell whether it was taken within the window.

        >>> repeats = Repeats(window=60, count=2)
        >>> repeats.add(b"a", now=0)
        >>> repeats.seen(b"a", now=59), repeats.seen(b"a", now=61), repeats.seen(b"b", now=0)
        (True, False, False)
        """
        taken = self._taken.get(identity)
        return taken is not None and now - taken <= self.window

    def add(self, identity: bytes, now: float) -> None:
        """Note that it was taken and is durable."""
        self._taken[identity] = now
        self._taken.move_to_end(identity)
        if len(self._taken) > self.count:
            self._taken.popitem(last=False)
