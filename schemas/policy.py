"""The policy: every limit a shop may want to change, with overrides by carrier and by warehouse.

Written as TOML; what is not written keeps the default. Durations are text such as "30 min", "2 h", "12 h" or "30 d".
"""

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal, Optional

import msgspec
from msgspec import Meta, Struct

from schemas.settings import Duration, read_settings

_Price = Annotated[float, Meta(ge=0, le=1_000_000)]


class PolicyError(ValueError):
    """A policy file that cannot be used; its text is one clear sentence."""


class Limits(Struct, frozen=True, forbid_unknown_fields=True):
    """How long each thing may take before its absence is news."""

    pick_pack_delay: Duration = Duration.of("30 min")
    label_scan_delay: Duration = Duration.of("2 h")
    last_mile_delay: Duration = Duration.of("12 h")
    sla_at_risk: Duration = Duration.of("4 h")
    """Before the promise."""


class Override(Struct, frozen=True, forbid_unknown_fields=True):
    """The limits that differ for one carrier or one warehouse."""

    pick_pack_delay: Optional[Duration] = None
    label_scan_delay: Optional[Duration] = None
    last_mile_delay: Optional[Duration] = None
    sla_at_risk: Optional[Duration] = None


class Visits(Struct, frozen=True, forbid_unknown_fields=True):
    """Which parcels get live visits, and how long a silence ends one."""

    gap: Duration = Duration.of("12 h")
    parcels: Literal["high_value", "all", "none"] = "high_value"
    high_value: Annotated[float, Meta(gt=0)] = 500.0
    """Declared value from which a silent parcel is sent to manual review."""


class Intake(Struct, frozen=True, forbid_unknown_fields=True):
    """What may come in."""

    future_tolerance: Duration = Duration.of("24 h")
    """How far past the horizon a sender's clock may run."""
    waybill_wait: Duration = Duration.of("72 h")
    """How long an event without an order waits for one that tells whose the waybill is."""
    max_record_bytes: Annotated[int, Meta(ge=1024)] = 1024 * 1024
    out_of_order: Duration = Duration.of("5 min")
    """How much later than a younger event an older one may come in; so long every deadline waits."""


class Hubs(Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked of hubs."""

    longest_stay: Duration = Duration.of("12 h")
    """How long a valuable parcel may stay at one hub before it is sent to manual review."""


class Reconcile(Struct, frozen=True, forbid_unknown_fields=True):
    """How the live side and the carriers' files are compared."""

    tolerance: Duration = Duration.of("10 min")
    """How far two times of one thing may lie apart."""


class Notify(Struct, frozen=True, forbid_unknown_fields=True):
    """Whom to tell."""

    channels: tuple[Annotated[str, Meta(pattern="^[a-z][a-z0-9_-]{0,31}$")], ...] = ("webhook",)
    """Names of the relay's channels; each is told every milestone that is news once."""
    oldest: Duration = Duration.of("3 d")
    """How long ago a milestone may have been to be news still: nobody wants last month's when a database is new."""


class Costs(Struct, frozen=True, forbid_unknown_fields=True):
    """Unit prices for the report `cost`. The defaults are round numbers; one's own contracts know better."""

    currency: Annotated[str, Meta(pattern="^[A-Z]{3}$")] = "EUR"
    """Of every price here."""
    live_message: _Price = 0.0005
    """A message taken in live: gateway, broker, stream and database."""
    api_call: _Price = 0.005
    """A call of a carrier's API, or of a service that asks many carriers; a bulk file takes one."""
    file_row: _Price = 0.000002
    """A line of a bulk file."""
    poll_every: Duration = Duration.of("1 h")
    """How often a parcel would be asked for, were movement between hubs to be known live."""
    late_hour: _Price = 0.05
    """An hour late of a parcel: goodwill, refunds, customers who do not come back."""
    late_hour_high_value: _Price = 0.25
    """The same, of a parcel of high value (`visits.high_value`)."""
    contact: _Price = 5.0
    """A customer who asks where the parcel is."""
    contact_share: Annotated[float, Meta(ge=0, le=1)] = 0.35
    """Of customers whose parcel is late, those who ask."""


class Memory(Struct, frozen=True, forbid_unknown_fields=True):
    """How long a parcel is kept in mind after its last event."""

    closed: Duration = Duration.of("45 d")
    silent: Duration = Duration.of("120 d")


class Policy(Struct, frozen=True, forbid_unknown_fields=True):
    """All limits. The warehouse's override goes before the carrier's, the carrier's before the general limit."""

    limits: Limits = Limits()
    visits: Visits = Visits()
    intake: Intake = Intake()
    memory: Memory = Memory()
    hubs: Hubs = Hubs()
    reconcile: Reconcile = Reconcile()
    notify: Notify = Notify()
    costs: Costs = Costs()
    carrier: Mapping[str, Override] = {}
    warehouse: Mapping[str, Override] = {}

    def limits_for(self, carrier: str | None, warehouse: str | None) -> Limits:
        """Give the limits that hold for a parcel of this carrier out of this warehouse."""
        if not self.carrier and not self.warehouse:
            return self.limits
        return _resolve(self.limits, self.carrier.get(carrier or ""), self.warehouse.get(warehouse or ""))


@lru_cache(maxsize=4096)
def _resolve(limits: Limits, *overrides: Override | None) -> Limits:
    changes = {
        name: value
        for override in overrides
        if override is not None
        for name, value in msgspec.structs.asdict(override).items()
        if value is not None
    }
    return msgspec.structs.replace(limits, **changes)


def read_policy(path: str | Path | None) -> Policy:
    """Read a policy file; no path means the defaults.

    Raises:
        PolicyError: the file cannot be read, is no TOML, or says something the policy does not know.
    """
    if path is None:
        return Policy()
    return read_settings(path, Policy, PolicyError, "The policy file")
