"""All kinds of senders, by name."""

from collections.abc import Mapping, Sequence
from typing import Any

from services.gateway.senders.adapter import Adapter
from services.gateway.senders.aftership import AfterShip
from services.gateway.senders.blue_dart import BlueDart
from services.gateway.senders.clickpost import ClickPost
from services.gateway.senders.delhivery import Delhivery
from services.gateway.senders.easypost import EasyPost
from services.gateway.senders.generic import Generic
from services.gateway.senders.options import ConfigError, read_options
from services.gateway.senders.sender import Sender
from services.gateway.senders.seventeen_track import SeventeenTrack
from services.gateway.senders.shipengine import ShipEngine
from services.gateway.senders.shippo import Shippo
from services.gateway.senders.shiprocket import Shiprocket
from services.gateway.senders.ups import Ups

KINDS: Mapping[str, type[Adapter[Any]]] = {
    each.kind: each
    for each in (
        AfterShip,
        BlueDart,
        ClickPost,
        Delhivery,
        EasyPost,
        Generic,
        SeventeenTrack,
        ShipEngine,
        Shippo,
        Shiprocket,
        Ups,
    )
}


def make(kind: str, name: str, secrets: Sequence[str], options: Mapping[str, Any]) -> Sender:
    """Make a sender.

    Args:
        kind: one of `KINDS`.
        name: as in `POST /webhooks/{name}`.
        secrets: the one in use and, during a rotation, the one before it.
        options: what is set, as written.

    Raises:
        ConfigError: it cannot be set up so.
    """
    if kind not in KINDS:
        raise ConfigError(f"The kind {kind!r} of sender is not known; there are {', '.join(sorted(KINDS))}.")
    adapter = KINDS[kind]
    return adapter(name, secrets, read_options(options, adapter.options_type))
