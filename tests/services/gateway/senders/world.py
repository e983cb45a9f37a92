"""One of each sender, what it signs with, and the requests that it would send: written down apart from the adapters."""

import base64
import hashlib
import hmac
import json
import unicodedata
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256

from schemas.fields import SECOND, Micros, parse_time, to_text
from services.gateway.senders.options import read_options
from services.gateway.senders.registry import make
from services.gateway.senders.sender import Delivery, Sender
from services.gateway.senders.shipengine import ShipEngine, ShipEngineOptions

NOW: Micros = parse_time("2026-03-09T12:00:00Z")
NEW, OLD, WRONG = "a new sécret", "an old secret", "somebody else's secret"
FOLDER = Path(__file__).parent / "fixtures"

Proof = tuple[dict[str, str], dict[str, str]]
"""Headers and query."""


class Trial(NamedTuple):
    """A sender on trial.

    Attributes:
        prove: gives the proof of a body at a time, by a secret.
        signs: what the proof covers: "body", and "time" if that is signed too.
    """

    kind: str
    prove: Callable[[bytes, Micros, str], Proof]
    signs: frozenset[str] = frozenset({"body"})
    options: Mapping[str, Any] = {}
    name: str = ""

    def sender(self, *secrets: str) -> Sender:
        """Make the sender, with these secrets."""
        if self.kind == "shipengine":
            return ShipEngine("shipengine", (), read_options({}, ShipEngineOptions), lambda _: jwks(*secrets))
        return make(self.kind, self.kind, secrets, self.options)

    def delivery(self, body: bytes, ts: Micros = NOW, secret: str = NEW) -> Delivery:
        """Give a request as the sender would send it at a time; it is received now."""
        headers, query = self.prove(body, ts, secret)
        return Delivery(headers, query, body, NOW)


def fixture(name: str) -> bytes:
    """Give a payload in a sender's documented shape."""
    return (FOLDER / f"{name}.json").read_bytes()


def fixtures(kind: str) -> list[bytes]:
    """Give all payloads of a sender."""
    return [path.read_bytes() for path in sorted(FOLDER.glob("*.json")) if path.stem.startswith(kind)]


def changed(name: str, **fields: Any) -> bytes:
    """Give a payload with other values at some paths, which are written with two underscores for a dot."""
    payload = json.loads(fixture(name))
    for path, value in fields.items():
        *way, last = path.split("__")
        place = payload
        for step in way:
            place = place[int(step)] if isinstance(place, list) else place[step]
        place[last] = value
    return json.dumps(payload).encode()


@lru_cache(maxsize=8)
def rsa(secret: str) -> RSAPrivateKey:
    """Give the private key that goes by this name."""
    return generate_private_key(65537, 2048)


def jwks(*names: str) -> bytes:
    """Give the key set with the public keys of these names; the id of each is its name."""
    keys = [{"kty": "RSA", "kid": name, **written(rsa(name).public_key())} for name in names]
    return json.dumps({"keys": keys}).encode()


def written(key: RSAPublicKey) -> dict[str, str]:
    """Give the numbers of a key, as a key set has them."""
    numbers = key.public_numbers()
    return {letter: _url64(getattr(numbers, letter)) for letter in "ne"}


def _url64(number: int) -> str:
    written = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(written).rstrip(b"=").decode()


def _mac(secret: str, signed: bytes) -> bytes:
    return hmac.new(secret.encode(), signed, hashlib.sha256).digest()


def _easypost(body: bytes, ts: Micros, secret: str) -> Proof:
    return {"x-hmac-signature": "hmac-sha256-hex=" + _mac(unicodedata.normalize("NFKD", secret), body).hex()}, {}


def _aftership(body: bytes, ts: Micros, secret: str) -> Proof:
    return {"aftership-hmac-sha256": base64.b64encode(_mac(secret, body)).decode()}, {}


def _shippo(body: bytes, ts: Micros, secret: str) -> Proof:
    seconds = str(ts // SECOND)
    return {"shippo-auth-signature": f"t={seconds},v1={_mac(secret, seconds.encode() + b'.' + body).hex()}"}, {}


def _shipengine(body: bytes, ts: Micros, secret: str) -> Proof:
    signature = rsa(secret).sign(to_text(ts).encode() + b"." + body, PKCS1v15(), SHA256())
    return {
        "x-shipengine-rsa-sha256-key-id": secret,
        "x-shipengine-rsa-sha256-signature": base64.b64encode(signature).decode(),
        "x-shipengine-timestamp": to_text(ts),
    }, {}


def _seventeen_track(body: bytes, ts: Micros, secret: str) -> Proof:
    return {"sign": hashlib.sha256(body + b"/" + secret.encode()).hexdigest()}, {}


def _generic(body: bytes, ts: Micros, secret: str) -> Proof:
    """Sign as Standard Webhooks does."""
    seconds = str(ts // SECOND)
    signature = base64.b64encode(_mac(secret, b".".join((b"msg_1", seconds.encode(), body)))).decode()
    return {"webhook-id": "msg_1", "webhook-timestamp": seconds, "webhook-signature": f"v1,{signature}"}, {}


def _token(header: str, before: str = "") -> Callable[[bytes, Micros, str], Proof]:
    return lambda body, ts, secret: ({header: before + secret}, {})


def _basic(body: bytes, ts: Micros, secret: str) -> Proof:
    return {"authorization": "Basic " + base64.b64encode(secret.encode()).decode()}, {}


def _in_the_address(body: bytes, ts: Micros, secret: str) -> Proof:
    return {}, {"token": secret}


GENERIC: Mapping[str, Any] = {
    "header": "webhook-signature",
    "prefix": "v1,",
    "separator": " ",
    "encoding": "base64",
    "signed": "id.timestamp.body",
    "id_header": "webhook-id",
    "timestamp_header": "webhook-timestamp",
    "carrier": "shree_anjani",
    "time": "%d/%m/%Y %H:%M",
    "zone": "Asia/Kolkata",
    "fields": {
        "entries": "data.scans",
        "tracking_number": "data.docket",
        "code": ["state", "why"],
        "time": "at",
        "place": "branch",
        "order_id": "data.order.number",
        "promise": "data.order.promise",
        "successor": "data.reissued_as",
    },
    "codes": [
        {"stage": "carrier_scanned", "codes": ["BOOKED/*"]},
        {"stage": "exception", "codes": ["HELD/*"]},
        {"stage": "exception", "reason": "carrier_damaged_parcel", "codes": ["HELD/WET"]},
    ],
    "ignored": ["PRINTED/*"],
}
"""A regional carrier of which nothing is known but that it signs as Standard Webhooks does."""

NOTHING: frozenset[str] = frozenset()
TIMED = frozenset({"body", "time"})

TRIALS = {
    trial.name or trial.kind: trial
    for trial in (
        Trial("aftership", _aftership),
        Trial("blue_dart", _token("token"), NOTHING),
        Trial("blue_dart", _basic, NOTHING, {"header": "authorization", "scheme": "basic"}, "blue_dart_basic"),
        Trial("clickpost", _token("webhook_key"), NOTHING, {"carriers": {"4": "delhivery"}}),
        Trial("delhivery", _token("authorization"), NOTHING),
        Trial("easypost", _easypost),
        Trial("generic", _generic, TIMED, GENERIC),
        Trial("seventeen_track", _seventeen_track),
        Trial("shipengine", _shipengine, TIMED),
        Trial("shippo", _shippo, TIMED),
        Trial("shippo", _in_the_address, NOTHING, {"proof": "token"}, "shippo_token"),
        Trial("shiprocket", _token("x-api-key"), NOTHING),
        Trial("ups", _token("authorization", "Bearer "), NOTHING),
    )
}
