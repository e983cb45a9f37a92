"""The gateway's configuration: one TOML file. Secrets are named in it, and come from the environment alone.

[sender.easypost]                        POST /webhooks/easypost
secrets = ["EASYPOST_SECRET"]            names of variables: the secret and, during a rotation, the one before it

[sender.post-of-b]
kind = "aftership"                       where the name is not the kind
secrets = ["AFTERSHIP_NEW", "AFTERSHIP_OLD"]
rate = 100

[events]                                 POST /events, only if it is there
keys = ["SHOP_KEY"]
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Optional

import msgspec
from msgspec import Meta, Struct

from pipelines.errors import UsageError
from schemas.settings import Duration, read_settings
from schemas.spool import SEGMENT_BYTES
from services.secrets import read_secret

MIB = 1024 * 1024
Count = Annotated[int, Meta(ge=1)]
Bytes = Annotated[int, Meta(ge=1024)]
Rate = Annotated[float, Meta(gt=0)]
Variables = Annotated[tuple[str, ...], Meta(max_length=2)]
_NAME = re.compile(r"[a-z0-9_-]{1,32}")


class Quota(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """How fast one sender may send: requests a second, and how many at once after a silence."""

    rate: Rate = 1000.0
    burst: Rate = 2000.0


class EventsConfig(Quota, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """The door of the shop's own systems."""

    keys: Annotated[tuple[str, ...], Meta(min_length=1, max_length=2)]
    """Names of variables: the key and, during a rotation, the one before it."""


class SenderConfig(Quota, kw_only=True, frozen=True):
    """One sender. All fields that are not named here are its kind's own."""

    kind: str
    secrets: Variables = ()
    options: Mapping[str, Any] = {}


class Limits(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What a request may be."""

    body: Bytes = MIB
    """Bytes, as they come over the line."""
    decompressed: Bytes = 4 * MIB
    depth: Count = 64
    events: Count = 1000
    """In one body."""
    event: Bytes = 64 * 1024
    """Bytes of one event."""
    requests: Count = 512
    """In hand at a time."""
    connections: Count = 768
    head_time: Duration = Duration.of("5 s")
    """For the line and the headers of a request."""
    body_time: Duration = Duration.of("10 s")
    idle_time: Duration = Duration.of("30 s")
    """Between two requests of one connection."""
    stop_time: Duration = Duration.of("20 s")
    """For the requests in hand when the gateway is told to stop."""


class SpoolConfig(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What the spool may take of the disk."""

    bytes: Bytes = 4096 * MIB
    """Not done yet; beyond that nothing more is taken."""
    free: Annotated[int, Meta(ge=0)] = 512 * MIB
    """Bytes of the disk that are left alone."""
    segment: Bytes = SEGMENT_BYTES


class QuarantineConfig(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What is kept, of each sender, of the bodies that could not be taken or not wholly."""

    bodies: Count = 10_000
    bytes: Bytes = 256 * MIB
    keep: Duration = Duration.of("30 d")


class RepeatsConfig(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """For how long, and of how many bodies, it is remembered that they were taken."""

    window: Duration = Duration.of("10 min")
    count: Count = 100_000


class GatewayConfig(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """All of it."""

    sender: Mapping[str, Mapping[str, Any]] = {}
    events: Optional[EventsConfig] = None
    limits: Limits = Limits()
    spool: SpoolConfig = SpoolConfig()
    quarantine: QuarantineConfig = QuarantineConfig()
    repeats: RepeatsConfig = RepeatsConfig()

    def senders(self) -> dict[str, SenderConfig]:
        """Give the senders by name.

        Raises:
            UsageError: a sender cannot be what the file says.
        """
        return {name: _sender(name, dict(said)) for name, said in self.sender.items()}


def read_config(path: str | Path) -> GatewayConfig:
    """Read a configuration.

    Raises:
        UsageError: the file cannot be read, or says something the gateway does not know.
    """
    config = read_settings(path, GatewayConfig, UsageError)
    if not config.senders() and config.events is None:
        raise UsageError(f"The file {path} has neither a sender nor a key for /events.")
    return config


def read_secrets(names: Sequence[str]) -> tuple[str, ...]:
    """Give secrets by the names of their variables.

    Raises:
        UsageError: a variable is not set, or empty.
    """
    return tuple(map(read_secret, names))


def _sender(name: str, said: dict[str, Any]) -> SenderConfig:
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} names no sender: 1 to 32 of a-z, 0-9, _ and - do.")
    own = {field: said.pop(field) for field in ("kind", "secrets", "rate", "burst") if field in said}
    try:
        return msgspec.convert({"kind": name.replace("-", "_")} | own | {"options": said}, SenderConfig)
    except msgspec.ValidationError as fault:
        raise UsageError(f"The sender {name} cannot be used: {fault}.") from fault
