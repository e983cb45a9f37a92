"""Passwords of the desk's own users, kept as scrypt hashes (RFC 7914)."""

import base64
import hashlib
import hmac
import os
import re

_KEPT = re.compile(r"scrypt:(\d{1,2}):([A-Za-z0-9+/=]{24}):([A-Za-z0-9+/=]{44})")
_LOG_N = 15
"""2^15 blocks of 1 KiB: 32 MiB and some tens of milliseconds for each try."""
_MEMORY = 256 * 1024 * 1024


def hash_password(password: str, log_n: int = _LOG_N) -> str:
    """Give what is kept of a password; another one each time, for its salt."""
    salt = os.urandom(16)
    return ":".join(("scrypt", str(log_n), _text(salt), _text(_derive(password, salt, log_n))))


def is_hash(kept: str) -> bool:
    """Tell whether a text is what `hash_password` gives."""
    match = _KEPT.fullmatch(kept)
    return match is not None and 10 <= int(match[1]) <= 17


def fits(password: str, kept: str) -> bool:
    """Tell whether a password is the one of which a hash was kept."""
    match = _KEPT.fullmatch(kept)
    assert match is not None
    found = _derive(password, base64.b64decode(match[2]), int(match[1]))
    return hmac.compare_digest(found, base64.b64decode(match[3]))


def _derive(password: str, salt: bytes, log_n: int) -> bytes:
    given = password.encode("utf-8", "surrogateescape")
    return hashlib.scrypt(given, salt=salt, n=1 << log_n, r=8, p=1, maxmem=_MEMORY, dklen=32)


def _text(given: bytes) -> str:
    return base64.b64encode(given).decode()
