"""Signals that end a service: SIGTERM, by which supervisors ask, and SIGINT, by which people do."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def on_end(act: Callable[[], None]) -> Iterator[None]:
    """Let these signals do something, for as long as this lasts, instead of ending the process.

    A thread other than the main one, which alone hears them, changes nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def heard(number: int, frame: object) -> None:
        act()

    before = {number: signal.signal(number, heard) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
