"""Signatures in the form of Standard Webhooks: HMAC-SHA256 over `id.timestamp.body`, one for each secret in use."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable

PREFIX = "whsec_"


def sign(secrets: Iterable[str], identity: str, timestamp: int, body: bytes) -> dict[str, str]:
    """Give the headers that prove where a message comes from.

    Args:
        secrets: the new one and, during a rotation, the old one; text, or base64 after `whsec_`.
        identity: of the message, the same at each attempt.
        timestamp: seconds since 1970 of this attempt.
        body: the bytes that are sent.
    """
    signed = b".".join((identity.encode(), str(timestamp).encode(), body))
    signatures = [
        "v1," + base64.b64encode(hmac.new(key(secret), signed, hashlib.sha256).digest()).decode() for secret in secrets
    ]
    return {
        "webhook-id": identity,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }


def key(secret: str) -> bytes:
    """Give the key that a secret stands for.

    Raises:
        ValueError: no base64 after the prefix.
    """
    if not secret.startswith(PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error as fault:
        raise ValueError(f"a secret that begins with {PREFIX} must go on as base64") from fault
