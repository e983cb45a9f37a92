"""The shapes of what senders send: what each says of one step of a parcel's journey, signed as each signs."""

from collections.abc import Callable, Mapping
from typing import Any

from schemas.fields import Micros
from services.load.parcels import Parcel, Request
from services.load.shapes.generic import generic
from services.load.shapes.histories import aftership, easypost, seventeen_track, shippo
from services.load.shapes.single import blue_dart, clickpost, delhivery, shiprocket, ups

Shape = Callable[[Parcel, int, str, Mapping[str, Any], Micros], Request]
"""Gives the request that tells a step of a parcel; takes also the secret, the sender's options, and the time."""

SHAPES: Mapping[str, Shape] = {
    "aftership": aftership,
    "blue_dart": blue_dart,
    "clickpost": clickpost,
    "delhivery": delhivery,
    "easypost": easypost,
    "generic": generic,
    "seventeen_track": seventeen_track,
    "shippo": shippo,
    "shiprocket": shiprocket,
    "ups": ups,
}
"""By kind. ShipEngine is not among them: it signs with a key that nobody else has."""
