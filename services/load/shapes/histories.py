"""Senders that tell a parcel's whole history each time."""

import base64
import hashlib
import hmac
import unicodedata
from collections.abc import Mapping
from typing import Any

import msgspec

from schemas.fields import SECOND, Micros, to_text
from services.load.parcels import Parcel, Request

_EASYPOST = (
    ("in_transit", "received_at_origin_facility"),
    ("in_transit", "arrived_at_facility"),
    ("in_transit", "departed_facility"),
    ("out_for_delivery", "out_for_delivery"),
    ("delivered", "arrived_at_destination"),
)
_AFTERSHIP = ("InTransit_002", "InTransit_003", "InTransit_007", "OutForDelivery_001", "Delivered_001")
_SHIPPO = (
    ("TRANSIT", "package_accepted"),
    ("TRANSIT", "package_arrived"),
    ("TRANSIT", "package_departed"),
    ("TRANSIT", "out_for_delivery"),
    ("DELIVERED", "delivered"),
)
_SEVENTEEN = (
    "InTransit_PickedUp",
    "InTransit_Arrival",
    "InTransit_Departure",
    "OutForDelivery_Other",
    "Delivered_Other",
)
_CITIES = ("LOUISVILLE", "CHICAGO", "CHICAGO", "NAPERVILLE", "NAPERVILLE")


def easypost(parcel: Parcel, step: int, secret: str, options: Mapping[str, Any], now: Micros) -> Request:
    """Give a tracker.updated of EasyPost."""
    details = [
        {
            "object": "TrackingDetail",
            "message": _EASYPOST[n][1].replace("_", " ").title(),
            "description": "",
            "status": _EASYPOST[n][0],
            "status_detail": _EASYPOST[n][1],
            "datetime": to_text(parcel.at(n)),
            "source": "UPS",
            "carrier_code": "",
            "tracking_location": {"object": "TrackingLocation", "city": _CITIES[n], "state": "IL", "country": "US"},
        }
        for n in range(step + 1)
    ]
    body = msgspec.json.encode(
        {
            "object": "Event",
            "id": f"evt_{parcel.tracking_number}_{step}",
            "description": "tracker.updated",
            "mode": "production",
            "created_at": to_text(parcel.at(step)),
            "updated_at": to_text(parcel.at(step)),
            "previous_attributes": {"status": _EASYPOST[max(0, step - 1)][0]},
            "result": {
                "object": "Tracker",
                "id": f"trk_{parcel.tracking_number}",
                "mode": "production",
                "tracking_code": parcel.tracking_number,
                "carrier": "UPS",
                "status": _EASYPOST[step][0],
                "status_detail": _EASYPOST[step][1],
                "created_at": to_text(parcel.began),
                "updated_at": to_text(parcel.at(step)),
                "signed_by": None,
                "weight": 17.6,
                "est_delivery_date": None,
                "shipment_id": None,
                "tracking_details": details,
                "carrier_detail": {"object": "CarrierDetail", "service": "UPS Ground", "container_type": None},
                "finalized": step == len(_EASYPOST) - 1,
                "is_return": False,
                "public_url": "https://track.easypost.com/djE6",
            },
        }
    )
    key = unicodedata.normalize("NFKD", secret).encode()
    return _json(body, {"x-hmac-signature": f"hmac-sha256-hex={hmac.new(key, body, hashlib.sha256).hexdigest()}"})


def aftership(parcel: Parcel, step: int, secret: str, options: Mapping[str, Any], now: Micros) -> Request:
    """Give a tracking_update of AfterShip."""
    checkpoints = [
        {
            "created_at": to_text(parcel.at(n)),
            "slug": "ups",
            "checkpoint_time": to_text(parcel.at(n)).replace("Z", "+00:00"),
            "city": _CITIES[n],
            "country_iso3": "USA",
            "message": _AFTERSHIP[n],
            "tag": _AFTERSHIP[n].partition("_")[0],
            "subtag": _AFTERSHIP[n],
            "raw_tag": None,
        }
        for n in range(step + 1)
    ]
    body = msgspec.json.encode(
        {
            "event": "tracking_update",
            "event_id": f"{parcel.tracking_number}-{step}",
            "is_tracking_first_tag": step == 0,
            "msg": {
                "id": parcel.tracking_number.lower(),
                "tracking_number": parcel.tracking_number,
                "slug": "ups",
                "active": True,
                "tag": _AFTERSHIP[step].partition("_")[0],
                "subtag": _AFTERSHIP[step],
                "order_id": f"SO-{parcel.tracking_number}",
                "checkpoints": checkpoints,
            },
            "ts": parcel.at(step) // SECOND,
        }
    )
    signed = base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()
    return _json(body, {str(options.get("header", "aftership-hmac-sha256")): signed})


def shippo(parcel: Parcel, step: int, secret: str, options: Mapping[str, Any], now: Micros) -> Request:
    """Give a track_updated of Shippo, signed at this time, or with its token."""
    history = [
        {
            "object_id": f"{parcel.tracking_number}{n}",
            "status": _SHIPPO[n][0],
            "substatus": {"code": _SHIPPO[n][1], "text": _SHIPPO[n][1].replace("_", " "), "action_required": False},
            "status_details": "",
            "status_date": to_text(parcel.at(n)),
            "location": {"city": _CITIES[n], "state": "IL", "zip": "60540", "country": "US"},
        }
        for n in range(step + 1)
    ]
    data = {
        "carrier": "ups",
        "tracking_number": parcel.tracking_number,
        "servicelevel": {"token": "ups_ground", "name": "Ground"},
        "metadata": "",
        "messages": [],
        "tracking_status": history[-1],
        "tracking_history": history,
    }
    body = msgspec.json.encode({"event": "track_updated", "test": False, "data": data})
    if options.get("proof") == "token":
        return _json(body, {})._replace(query=f"{options.get('token', 'token')}={secret}")
    at = str(now // SECOND)
    signed = hmac.new(secret.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()
    return _json(body, {"shippo-auth-signature": f"t={at},v1={signed}"})


def seventeen_track(parcel: Parcel, step: int, secret: str, options: Mapping[str, Any], now: Micros) -> Request:
    """Give a TRACKING_UPDATED of 17TRACK, version 2.2."""
    events = [
        {
            "time_iso": to_text(parcel.at(n)).replace("Z", "+00:00"),
            "time_utc": to_text(parcel.at(n)),
            "description": _SEVENTEEN[n],
            "location": _CITIES[n],
            "stage": _SEVENTEEN[n].partition("_")[2],
            "sub_status": _SEVENTEEN[n],
            "address": {"country": "US", "state": "IL", "city": _CITIES[n], "postal_code": None},
        }
        for n in reversed(range(step + 1))
    ]
    info = {
        "latest_status": {"status": _SEVENTEEN[step].partition("_")[0], "sub_status": _SEVENTEEN[step]},
        "tracking": {"providers": [{"provider": {"key": 100002, "name": "UPS"}, "events": events}]},
    }
    data = {"number": parcel.tracking_number, "carrier": 100002, "tag": "", "track_info": info}
    body = msgspec.json.encode({"event": "TRACKING_UPDATED", "data": data})
    signed = hashlib.sha256(body + b"/" + secret.encode()).hexdigest()
    return _json(body, {str(options.get("header", "sign")): signed})


def _json(body: bytes, headers: dict[str, str]) -> Request:
    return Request(body, {"content-type": "application/json"} | headers)
