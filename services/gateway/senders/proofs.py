"""Proofs of who sent a request: signatures, tokens and their age. All comparisons take a time that tells nothing."""

import hashlib
import hmac
from collections.abc import Iterable

from schemas.fields import Micros
from services.gateway.senders.sender import Delivery, Forged


def prove(given: Iterable[str], expected: Iterable[str]) -> None:
    """Make sure that one of the proofs given is one of those expected.

    Raises:
        Forged: there is none, or none fits.
    """
    proofs = [_bytes(proof) for proof in given if proof]
    if not proofs:
        raise Forged("The proof of the sender is missing.")
    wanted = [_bytes(each) for each in expected]
    # Every pair is compared, so that the time does not tell which secret was nearly met.
    if not any([hmac.compare_digest(proof, each) for proof in proofs for each in wanted]):
        raise Forged("The proof of the sender is wrong.")


def signature(key: bytes, signed: bytes, algorithm: str = "sha256") -> bytes:
    """Give the HMAC of what was signed."""
    return hmac.new(key, signed, getattr(hashlib, algorithm)).digest()


def check_age(signed_ts: Micros, delivery: Delivery, tolerance: int) -> None:
    """Make sure that a request was signed just now.

    Args:
        signed_ts: when the sender signed it.
        delivery: the request.
        tolerance: microseconds before and after our own time.

    Raises:
        Forged: it is too old, or from the future.
    """
    if abs(delivery.received_ts - signed_ts) > tolerance:
        raise Forged("The proof of the sender is stale.")


def unix(text: str, unit: int) -> Micros:
    """Read the whole number of seconds or milliseconds since 1970 that a sender signed.

    Args:
        text: the number.
        unit: microseconds of one.

    Raises:
        Forged: the text is no such number.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= 14):
        raise Forged("The time of the proof is missing or unreadable.")
    return int(text) * unit


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
