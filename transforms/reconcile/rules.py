"""By which rules a night concluded: under others, everything is concluded anew."""

import hashlib

import msgspec

from schemas.policy import Costs, Policy
from schemas.tables import SCHEMA_VERSION

_RULES = 1
"""Rises whenever the rules of the night change."""


def digest(policy: Policy) -> str:
    """Give the digest of the rules and of the limits in a policy; prices change no conclusion."""
    limits = msgspec.structs.replace(policy, costs=Costs())
    rules = msgspec.json.encode([limits, SCHEMA_VERSION, _RULES], enc_hook=int)
    return hashlib.blake2b(rules, digest_size=8).hexdigest()
