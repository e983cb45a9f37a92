"""Senders that sign nothing, and prove themselves by a token in a header that was agreed upon."""

import base64
from collections.abc import Iterator
from typing import ClassVar, Literal

from services.gateway.senders.adapter import Adapter
from services.gateway.senders.options import Header, Options
from services.gateway.senders.proofs import prove
from services.gateway.senders.sender import Delivery

Scheme = Literal["plain", "bearer", "basic"]


class TokenOptions(Options, kw_only=True, frozen=True):
    """Where the token is."""

    header: Header
    scheme: Scheme = "plain"
    """How the header is written: the secret alone, after `Bearer`, or `user:password` as basic authentication."""
    client_header: Header = "client-id"
    client_id: str = ""
    """What the header of the client's name must say; not asked where it is empty."""


class TokenAdapter(Adapter[TokenOptions]):
    """A sender with a token."""

    options_type: ClassVar[type[TokenOptions]]

    def verify(self, delivery: Delivery) -> None:
        """Compare the token with each of the secrets."""
        if self.options.client_id:
            prove([delivery.headers.get(self.options.client_header, "")], [self.options.client_id])
        prove([delivery.headers.get(self.options.header, "")], self._written())

    def _written(self) -> Iterator[str]:
        for secret in self.secrets:
            if self.options.scheme == "bearer":
                yield f"Bearer {secret}"
            elif self.options.scheme == "basic":
                yield "Basic " + base64.b64encode(secret.encode()).decode()
            else:
                yield secret
