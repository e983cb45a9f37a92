"""Rates: how much one party may do, by a bucket of tokens that fills at its rate."""


class Bucket:
    """A bucket of tokens: each try takes one; it holds `burst` at most, and `rate` a second flow in."""

    def __init__(self, rate: float, burst: float, now: float) -> None:
        """Begin full, at a time in seconds."""
        self.rate = rate
        self.burst = burst
        self._tokens = burst
        self._at = now

    def take(self, now: float) -> float:
        """Take a token; give 0, or if there is none the seconds until there will be one.

        >>> bucket = Bucket(rate=2, burst=1, now=0)
        >>> bucket.take(0), bucket.take(0), bucket.take(0.5)
        (0.0, 0.5, 0.0)
        """
        self._tokens = min(self.burst, self._tokens + max(0.0, now - self._at) * self.rate)
        self._at = now
        if self._tokens < 1:
            return (1 - self._tokens) / self.rate
        self._tokens -= 1
        return 0.0

    def give_back(self) -> None:
        """Put a token back."""
        self._tokens = min(self.burst, self._tokens + 1)
