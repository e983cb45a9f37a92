"""A sender's public keys: fetched when needed, kept for a while, and asked for again rarely."""

import base64
import binascii
import threading
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from math import inf
from typing import Optional

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA256
from msgspec import Struct

from schemas.fields import HOUR, MINUTE, Micros
from services.gateway.senders.sender import Unproved

Fetch = Callable[[str], bytes]

LIFE = HOUR
"""How long keys are the sender's. After half of it they are asked for again, so that a short outage harms nothing."""
PAUSE = MINUTE
"""Between two fetches: forged requests must not make us ask the sender all the time."""
SMALLEST = 2048
"""Bits of a key that is taken."""
_SECONDS = 5.0
_LARGEST = 1 << 20


class _Key(Struct):
    kty: str
    kid: Optional[str] = None
    n: str = ""
    e: str = ""


class _Keys(Struct):
    keys: list[_Key]


class KeySet:
    """The keys behind one address, by their ids."""

    def __init__(self, url: str, fetch: Fetch) -> None:
        """Take the address, and what fetches it."""
        self.url = url
        self.fetch = fetch
        self.keys: dict[str, RSAPublicKey] = {}
        self.fetched: Micros | None = None
        self.asked: Micros | None = None
        self.lock = threading.Lock()

    def verifies(self, key_id: str, signature: bytes, signed: bytes, now: Micros) -> bool:
        """Tell whether a signature (RSA PKCS#1 v1.5, SHA-256) is that of the key with this id.

        Raises:
            Unproved: the keys cannot be had.
        """
        key = self._key(key_id, now)
        if key is None:
            return False
        try:
            key.verify(signature, signed, PKCS1v15(), SHA256())
        except InvalidSignature:
            return False
        return True

    def _key(self, key_id: str, now: Micros) -> RSAPublicKey | None:
        with self.lock:
            wanted = self._wanted(key_id, now)
            self.asked = now if wanted else self.asked
            # Without any keys all wait for the first; with some, only the request that asks for new ones does.
            if wanted and self._age(now) > LIFE:
                self._ask(now)
                wanted = False
        if wanted:
            self._ask(now)
        if self._age(now) > LIFE:
            raise Unproved("The sender's keys cannot be fetched.")
        return self.keys.get(key_id)

    def _wanted(self, key_id: str, now: Micros) -> bool:
        lacking = self._age(now) > LIFE // 2 or key_id not in self.keys
        return lacking and (self.asked is None or now - self.asked >= PAUSE)

    def _age(self, now: Micros) -> float:
        return inf if self.fetched is None else now - self.fetched

    def _ask(self, now: Micros) -> None:
        try:
            found = msgspec.json.decode(self.fetch(self.url), type=_Keys)
        except (OSError, msgspec.DecodeError):
            return
        # All of them anew: a key that the sender has withdrawn is no key any more.
        self.keys = {key.kid: public for key in found.keys if key.kid and (public := _public(key))}
        self.fetched = now


def fetch(url: str) -> bytes:
    """Get what is at an address, within seconds.

    Raises:
        OSError: it cannot be had.
    """
    try:
        with urllib.request.urlopen(url, timeout=_SECONDS) as answer:
            found: bytes = answer.read(_LARGEST)
    except HTTPException as fault:
        raise OSError("the answer is no HTTP") from fault
    return found


def _public(key: _Key) -> RSAPublicKey | None:
    try:
        public = RSAPublicNumbers(_number(key.e), _number(key.n)).public_key() if key.kty == "RSA" else None
    except (ValueError, binascii.Error):
        return None
    return public if public and public.key_size >= SMALLEST else None


def _number(text: str) -> int:
    return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), "big")
