"""API keys: compared in constant time, two of them while one is replaced by the other."""

import hmac
from collections.abc import Iterable

HEADER = "x-api-key"


class Keys:
    """The keys of one door."""

    def __init__(self, keys: Iterable[str]) -> None:
        """Take them."""
        self._keys = [key.encode() for key in keys]

    def fit(self, shown: str) -> bool:
        """Tell whether one of them was shown; all are compared, however early one fits.

        >>> Keys(["new", "old"]).fit("old"), Keys(["new", "old"]).fit("")
        (True, False)
        """
        given = shown.encode("utf-8", "surrogateescape")
        return any([hmac.compare_digest(given, key) for key in self._keys])
