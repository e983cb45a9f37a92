"""What may be set of a sender, and the check of what was written."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct

from schemas.settings import Duration

CarrierId = Annotated[str, Meta(pattern=r"^[a-z0-9_]{1,32}$")]
Header = Annotated[str, Meta(pattern=r"^[a-z0-9_-]{1,64}$")]
"""A header's name, in lower case."""

MOST_SECRETS = 2
"""The secret and, during a rotation, the one before it."""


class ConfigError(ValueError):
    """A sender that cannot be set up so; the text is one clear sentence."""


class Options(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What every sender has."""

    tolerance: Duration = Duration.of("5 min")
    """How far the time that a sender signs may lie from ours, before and after."""
    carriers: Mapping[str, CarrierId] = {}
    """Milepost's name of a carrier by the sender's, where it is not the same word."""
    order_reference: bool = True
    """The sender's order reference is the shop's order_id; where it is anything else, it must not be taken for it."""


Chosen = TypeVar("Chosen", bound=Options)


def read_options(written: Mapping[str, Any], kind: type[Chosen]) -> Chosen:
    """Check what is written of a sender.

    Raises:
        ConfigError: something there is not known, or of the wrong kind.
    """
    try:
        return msgspec.convert(written, kind, dec_hook=_duration)
    except msgspec.ValidationError as fault:
        raise ConfigError(f"The sender cannot be used: {fault}.") from fault


def check_secrets(secrets: Sequence[str]) -> tuple[str, ...]:
    """Make sure that there is a secret, and that none is empty: an empty one would prove anything.

    Raises:
        ConfigError: there are none, too many, or one is empty.
    """
    if not 1 <= len(secrets) <= MOST_SECRETS or not all(secrets):
        raise ConfigError("The sender needs one secret, or two during a rotation, and none of them empty.")
    return tuple(secrets)


def _duration(kind: type, value: Any) -> Any:  # noqa: ANN401
    if kind is Duration and isinstance(value, str):
        return Duration.of(value)
    raise ValueError(f"expected {kind.__name__.lower()} text")
