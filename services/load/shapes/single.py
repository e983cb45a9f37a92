"""Senders that tell one step at a time, and prove themselves by a token."""

import base64
import datetime
from collections.abc import Mapping
from typing import Any

import msgspec

from schemas.fields import HOUR, MINUTE, Micros, to_datetime
from services.load.parcels import Parcel, Request

_INDIA = 5 * HOUR + 30 * MINUTE
_DELHIVERY = (
    ("UD", "In Transit", "X-PPOM"),
    ("UD", "In Transit", "X-PIOM"),
    ("UD", "In Transit", "X-DLL2F"),
    ("UD", "Dispatched", "X-DDD3FD"),
    ("DL", "Delivered", "EOD-38"),
)
_BLUE_DART = (("S", "001"), ("S", "002"), ("S", "001"), ("S", "002"), ("T", "000"))
_CLICKPOST = (
    (4, "PickedUp"),
    (1004, "ReachedAtDestinationHub"),
    (5, "InTransit"),
    (6, "OutForDelivery"),
    (8, "Delivered"),
)
_SHIPROCKET = (
    ("42", "PICKED UP"),
    ("38", "REACHED DESTINATION HUB"),
    ("18", "IN TRANSIT"),
    ("17", "OUT FOR DELIVERY"),
    ("7", "DELIVERED"),
)
_UPS = (("P", "PU", "038"), ("I", "AR", "010"), ("I", "DP", "005"), ("I", "OT", "021"), ("D", "KB", "011"))


def delhivery(parcel: Parcel, step: int, secret: str, options: Mapping[str, Any], now: Micros) -> Request:
    """Give a push of Delhivery; its times are India's, without saying so."""
    kind, status, nsl = _DELHIVERY[step]
    said = {
        "Shipment": {
            "Status": {
                "Status": status,
                "StatusDateTime": _india(parcel, step).isoformat(timespec="milliseconds"),
                "StatusType": kind,
                "StatusLocation": "Ahmedabad_Gateway",
                "Instructions": "",
            },
            "PickUpDate": _india(parcel, 0).isoformat(timespec="milliseconds"),
            "NSLCode": nsl,
            "Sortcode": "AMD/GTW",
            "ReferenceNo": f"SO-{parcel.tracking_number}",
            "AWB": parcel.tracking_number,
        }
    }
    return _with_token(said, secret, options, "authorization")


def blue_dart(parcel: Parcel, step: int, secret: str, options: Mapping[str, Any], now: Micros) -> Request:
    """Give a status push of Blue Dart in its full form; its times have no seconds."""
    at, picked_up = _india(parcel, step), _india(parcel, 0)
    group, code = _BLUE_DART[step]
    scan = {
        "ScanType": "UD",
        "ScanGroupType": group,
        "ScanCode": code,
        "Scan": "",
        "ScanDate": at.strftime("%d-%m-%Y"),
        "ScanTime": at.strftime("%H%M"),
        "ScannedLocationCode": "AMD",
        "ScannedLocation": "AHMEDABAD HUB",
        "StatusTimeZone": "IST",
        "Comments": "",
    }
    shipment = {
        "SenderID": "MIL",
        "ReceiverID": "BDE",
        "WaybillNo": parcel.tracking_number,
        "RefNo": f"SO-{parcel.tracking_number}",
        "Prodcode": "A",
        "Origin": "AHMEDABAD",
        "Destination": "SURAT",
        "PickUpDate": picked_up.strftime("%d-%m-%Y"),
        "PickUpTime": picked_up.strftime("%H%M"),
        "ShipmentMode": "F",
        "Scans": {"ScanDetail": [scan]},
    }
    return _with_token({"statustracking": [{"Shipment": shipment}]}, secret, options, "token")


def clickpost(parcel: Parcel, step: int, secret: str, options: Mapping[str, Any], now: Micros) -> Request:
    """Give a webhook of ClickPost; its times end in Z, and are India's nevertheless."""
    code, name = _CLICKPOST[step]
    at = _india(parcel, step).isoformat() + "Z"
    status = {
        "clickpost_status_code": code,
        "clickpost_status_description": name,
        "status": name,
        "remark": "",
        "location": "Surat",
        "timestamp": at,
    }
    additional = {"order_id": f"SO-{parcel.tracking_number}", "is_rvp": False, "latest_status": status}
    said = status | {"waybill": parcel.tracking_number, "cp_id": 4, "additional": additional}
    return _with_token(said, secret, options, "webhook_key")


def shiprocket(parcel: Parcel, step: int, secret: str, options: Mapping[str, Any], now: Micros) -> Request:
    """Give a webhook of Shiprocket."""
    code, label = _SHIPROCKET[step]
    at = _india(parcel, step)
    scan = {
        "date": at.strftime("%Y-%m-%d %H:%M:%S"),
        "status": label.title(),
        "activity": label.title(),
        "location": "Surat",
        "sr-status": code,
        "sr-status-label": label,
    }
    said = {
        "awb": parcel.tracking_number,
        "courier_name": "Delhivery Surface",
        "current_status": label,
        "current_status_id": int(code),
        "current_timestamp": at.strftime("%d %m %Y %H:%M:%S"),
        "order_id": f"SO-{parcel.tracking_number}_77",
        "sr_order_id": 77,
        "is_return": 0,
        "scans": [scan],
    }
    return _with_token(said, secret, options, "x-api-key")


def ups(parcel: Parcel, step: int, secret: str, options: Mapping[str, Any], now: Micros) -> Request:
    """Give a Track Alert of UPS."""
    kind, code, description = _UPS[step]
    gmt = to_datetime(parcel.at(step))
    local = gmt - datetime.timedelta(hours=4)
    said = {
        "trackingNumber": parcel.tracking_number,
        "localActivityDate": local.strftime("%Y%m%d"),
        "localActivityTime": local.strftime("%H%M%S"),
        "gmtActivityDate": gmt.strftime("%Y%m%d"),
        "gmtActivityTime": gmt.strftime("%H%M%S"),
        "gmtOffset": "-04.00",
        "activityLocation": {"city": "LOUISVILLE", "stateProvince": "KY", "postalCode": "", "country": "US"},
        "activityStatus": {"type": kind, "code": code, "description": "", "descriptionCode": description},
    }
    headers = {"user-agent": "UPSPubSubTrackingService", "x-api-key": str(options.get("client_id", "milepost"))}
    request = _with_token(said, secret, {"scheme": "bearer"} | dict(options), "authorization")
    return request._replace(headers=headers | request.headers)


def _india(parcel: Parcel, step: int) -> datetime.datetime:
    """Give the time of a step as a clock in India shows it."""
    return to_datetime(parcel.at(step) + _INDIA).replace(tzinfo=None)


def _with_token(said: Mapping[str, Any], secret: str, options: Mapping[str, Any], header: str) -> Request:
    """Give a request whose header is that which the sender's options name, or else its usual one."""
    scheme = options.get("scheme", "plain")
    token = {"plain": secret, "bearer": f"Bearer {secret}", "basic": f"Basic {_base64(secret)}"}[scheme]
    headers = {"content-type": "application/json", str(options.get("header", header)): token}
    if options.get("client_id"):
        headers[str(options.get("client_header", "client-id"))] = str(options["client_id"])
    return Request(msgspec.json.encode(said), headers)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
