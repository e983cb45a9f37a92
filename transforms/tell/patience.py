"""Patience: how long to wait before something that failed is tried again."""

import random


def full_jitter(attempt: int, base: float, cap: float) -> float:
    """Give the seconds to wait: anything up to a bound that doubles with each attempt, so that many do not meet.

    Args:
        attempt: how many attempts have failed, from 1.
        base: the bound after the first, in seconds.
        cap: the largest bound, in seconds.
    """
    return random.uniform(0, min(cap, base * 2 ** min(attempt - 1, 30)))
