"""Guesses: how many wrong ones an address, and all of them together, may make."""

import ipaddress
from collections import OrderedDict

from services.rates import Bucket

MOST_ADDRESSES = 50_000
"""Addresses that are remembered; the one that was quiet for longest is forgotten first."""


class Guesses:
    """Guesses by address. One is paid for before it is looked at, and gets its token back if it was right.

    So any number of guesses at once are no more than the buckets hold. An address whose bucket is empty gets no answer
    at all: that a right guess still passes would be all that a guesser needs.
    """

    def __init__(self, rate: float, burst: float, all_rate: float, all_burst: float) -> None:
        """Take the rates a second and the bursts, of one address and of all together."""
        self.rate, self.burst = rate, burst
        self._all = Bucket(all_rate, all_burst, 0)
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def pay(self, address: str, now: float) -> float:
        """Pay for a guess; give 0, or the seconds until one may be made."""
        who = network(address)
        bucket = self._buckets.pop(who, None) or Bucket(self.rate, self.burst, now)
        self._buckets[who] = bucket
        if len(self._buckets) > MOST_ADDRESSES:
            self._buckets.popitem(last=False)
        wait = bucket.take(now)
        if wait:
            return wait
        wait = self._all.take(now)
        if wait:
            bucket.give_back()
        return wait

    def right(self, address: str) -> None:
        """Give back what was paid for a right guess."""
        self._all.give_back()
        bucket = self._buckets.get(network(address))
        if bucket is not None:
            bucket.give_back()


def network(address: str) -> str:
    """Give whom an address stands for: an IPv6 customer has a whole /64, and any address in it.

    >>> network("192.0.2.1"), network("2001:db8::1:2"), network("::ffff:192.0.2.1")
    ('192.0.2.1', '2001:db8::/64', '192.0.2.1')
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.IPv6Network((int(found) >> 64 << 64, 64)))
    return str(found)
