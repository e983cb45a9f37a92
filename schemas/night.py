"""The last finished night: which version of each nightly table belongs to it, and what it was concluded from."""

from msgspec import Struct

from schemas.fields import Micros


class Night(Struct, frozen=True):
    """One night as readers see it. It is written whole, after all its tables: the old night or the new one."""

    versions: dict[str, int] = {}
    """Of each nightly table, by name; a table that is not named was never finished."""
    seen: dict[str, int] = {}
    """Versions of the live tables that it was concluded from, by name."""
    horizon: Micros = 0
    """The newest event it knew."""
    rules: str = ""
    """Digest of the policy and of the rules it was concluded by; under others all is concluded anew."""
    finished: Micros = 0
    """When readers began to see it, by the wall clock; 0 where that was not noted yet."""
