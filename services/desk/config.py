"""The desk's configuration: one TOML file. Secrets are named in it, and come from the environment alone.

secret = "DESK_SECRET"                   signs sessions

[proxy]                                  a reverse proxy that knows who somebody is, and says so in a header
addresses = ["127.0.0.1"]
user = "X-Forwarded-User"

[users]                                  or the desk's own: a name, and what `milepost desk password` printed
anna = "scrypt:15:…"

[track]                                  the customers' page, only if it is there
secrets = ["TRACK_SECRET"]               makes links; during a rotation the one before it as well
url = "https://shop.example"
zone = "Europe/Berlin"
"""

import ipaddress
import zoneinfo
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Optional

from msgspec import Meta, Struct

from pipelines.errors import UsageError
from schemas.settings import Duration, read_settings
from services.desk.passwords import is_hash
from services.desk.steps import StepError, checked_name
from services.secrets import Variable
from services.tokens import LinkConfig

Count = Annotated[int, Meta(ge=1, le=100_000)]
Rate = Annotated[float, Meta(gt=0)]
Header = Annotated[str, Meta(pattern="^[A-Za-z0-9-]+$")]


class ProxyConfig(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Proxies in front of the desk: what only they may say."""

    addresses: Annotated[tuple[str, ...], Meta(min_length=1)] = ("127.0.0.1", "::1")
    """Addresses or networks that requests come from; from anywhere else the headers count for nothing."""
    user: Optional[Header] = None
    """Header that names who has signed in; the proxy must take it out of what clients send."""
    client: Header = "X-Forwarded-For"


class TrackConfig(LinkConfig, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """The customers' page."""

    zone: str = "UTC"
    """In which customers read times, such as Europe/Berlin."""
    guesses: Rate = 0.1
    """Wrong guesses a second, of one address; and at once after a silence."""
    guesses_at_once: Annotated[float, Meta(ge=1)] = 10.0
    all_guesses: Rate = 50.0
    """Of all addresses together: beyond it everybody waits."""
    all_guesses_at_once: Annotated[float, Meta(ge=1)] = 500.0


class Limits(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """How much, and how long."""

    page: Annotated[int, Meta(ge=1, le=500)] = 50
    """Alerts on a page."""
    export: Annotated[int, Meta(ge=1, le=1_000_000)] = 100_000
    """Alerts in an exported file."""
    streams: Count = 1_000
    """Pages that are live at a time."""
    streams_of_one: Count = 50
    """Of them, of one address."""
    poll: Duration = Duration.of("1 s")
    """How often the database is asked what is new, however many pages are live."""
    heartbeat: Duration = Duration.of("15 s")
    stream: Duration = Duration.of("10 min")
    """After which a page that is live must show anew that it may be."""
    refresh: Duration = Duration.of("30 s")
    """How old the lake's snapshot may be."""
    session: Duration = Duration.of("12 h")
    head_time: Duration = Duration.of("5 s")
    """For the line and the headers of a request."""
    body_time: Duration = Duration.of("10 s")
    """For a form."""


class DeskConfig(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """All of it."""

    secret: Optional[Variable] = None
    proxy: Optional[ProxyConfig] = None
    users: Mapping[str, str] = {}
    track: Optional[TrackConfig] = None
    limits: Limits = Limits()


def read_config(path: str | Path | None) -> DeskConfig:
    """Read a configuration; no path means the defaults.

    Raises:
        UsageError: the file cannot be read, or says something that cannot be.
    """
    if path is None:
        return DeskConfig()
    config = read_settings(path, DeskConfig, UsageError)
    for name, kept in config.users.items():
        if not is_hash(kept):
            raise UsageError(f"What the file says of the user {name} is no hash by `milepost desk password`.")
        try:
            if checked_name(name) != name:
                raise StepError("A name has single spaces.")
        except StepError as fault:
            raise UsageError(f"The user {name!r} cannot be: {fault}") from fault
    if config.users and config.proxy is not None and config.proxy.user is not None:
        raise UsageError("People sign in by the proxy or at the desk, not by both: leave out `proxy.user` or `users`.")
    if config.proxy is not None:
        networks(config.proxy.addresses)
    if config.track is not None:
        zone(config.track.zone)
    return config


def networks(addresses: Sequence[str]) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """Read addresses or networks.

    Raises:
        UsageError: one is none.
    """
    try:
        return [ipaddress.ip_network(address) for address in addresses]
    except ValueError as fault:
        raise UsageError(f"The proxy's addresses cannot be used: {fault}.") from fault


def zone(name: str) -> zoneinfo.ZoneInfo:
    """Give a zone by its name.

    Raises:
        UsageError: there is none of that name.
    """
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as fault:
        raise UsageError(f"There is no zone {name!r}; write one such as Europe/Berlin.") from fault
