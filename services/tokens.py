"""The token in a customer's link: it proves who was given the link to one parcel, and opens no other."""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Sequence
from typing import Annotated
from urllib.parse import quote, urlencode

from msgspec import Meta, Struct

from services.secrets import Variable, read_secret

SHORTEST_SECRET = 32
"""Letters that a secret must have."""

BYTES = 16
"""Of the 32 of a digest: 128 bits, which nobody guesses."""


class LinkConfig(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What a configuration says of customers' links."""

    secrets: Annotated[tuple[Variable, ...], Meta(min_length=1, max_length=2)]
    """Names of environment variables: the secret that makes tokens and, during a rotation, the one before it."""
    url: Annotated[str, Meta(pattern=r"^https?://[^\s/]+/?$")]
    """Where the desk is that customers see."""


class Tokens:
    """Makes and checks tokens by a secret and, while it is replaced, the one before it."""

    def __init__(self, secrets: Sequence[str]) -> None:
        """Take the secrets; tokens are made by the first one."""
        self._secrets = [secret.encode() for secret in secrets]

    def make(self, order_id: str, tracking_number: str) -> str:
        """Give a parcel's token: 22 letters that are safe in an address."""
        return _token(self._secrets[0], order_id, tracking_number)

    def opened(self, parcels: Iterable[tuple[str, str]], shown: str) -> int | None:
        """Give which of some parcels, by their orders and tracking numbers, a token opens; None for none.

        Every secret is tried with every parcel, in constant time each, and with one parcel that there is not: it takes
        no longer to refuse a token than to learn that there is no such parcel.
        """
        given = shown.encode("utf-8", "surrogateescape")
        found = None
        for place, parcel in enumerate([*parcels, None]):
            for secret in self._secrets:
                expected = _token(secret, *(parcel or ("", "")))
                if hmac.compare_digest(expected.encode(), given) and parcel is not None and found is None:
                    found = place
        return found


class Links:
    """Makes customers' links."""

    def __init__(self, config: LinkConfig) -> None:
        """Take the configuration.

        Raises:
            UsageError: a secret is not set, or too short.
        """
        self.url = config.url
        self.tokens = Tokens([read_secret(name, SHORTEST_SECRET) for name in config.secrets])

    def make(self, order_id: str, tracking_number: str) -> str:
        """Give a parcel's link."""
        return link(self.url, tracking_number, self.tokens.make(order_id, tracking_number))


def link(base: str, tracking_number: str, token: str) -> str:
    """Give a customer's link.

    >>> link("https://shop.example/", "T/1", "x")
    'https://shop.example/track/T%2F1?t=x'
    """
    return f"{base.rstrip('/')}/track/{quote(tracking_number, safe='')}?{urlencode({'t': token})}"


def _token(secret: bytes, order_id: str, tracking_number: str) -> str:
    # Lengths first, so that no two parcels are one text.
    order, number = order_id.encode(), tracking_number.encode()
    said = b"%d:%d:" % (len(order), len(number)) + order + number
    digest = hmac.new(secret, b"milepost/track:" + said, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest[:BYTES]).rstrip(b"=").decode()
