"""The rules of the journey as SQL, for whole tables of events: what `journey` says of one parcel, of all at once.

The SQL files beside this one build on the relation `events`, and on what `bind_rules` binds.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import duckdb

from schemas.fields import Micros, to_text
from schemas.policy import Override, Policy
from schemas.stages import CRITICAL_STAGES, STAGES

FOLDER = Path(__file__).parent
RULES = ("spans", "journeys", "parcels")


def bind_rules(db: duckdb.DuckDBPyConnection, horizon: Micros, policy: Policy) -> None:
    """Bind the rules over the relation `events` that the connection has; see `rules`.

    Args:
        db: a connection that has `events`.
        horizon: the time up to which the world is known.
        policy: the limits.
    """
    for statement in rules(f"timestamptz '{to_text(horizon)}'", policy):
        db.execute(statement)


def rules(horizon: str, policy: Policy) -> Iterator[str]:
    """Give the statements that bind the rules over a relation `events`.

    They bind the view `stages` (stage, rank, closing, critical, carriers), the macros `horizon()`,
    `at_risk_limit(carrier, warehouse)`, `pick_pack_limit`, `label_scan_limit` and those of `spans.sql`, and the view
    `parcels`.

    Args:
        horizon: the time up to which the world is known, as an expression of SQL.
        policy: the limits.
    """
    listed = ",\n    ".join(
        f"({quoted(one.name)}, {one.rank}, {_truth(one.closing)}, {_truth(one.name in CRITICAL_STAGES)},"
        f" {_truth(one.carrier)})"
        for one in STAGES.values()
    )
    named = "stages (stage, rank, closing, critical, carriers)"
    yield f"create or replace view stages as\nfrom (values\n    {listed}\n) as {named};"
    yield f"create or replace macro horizon() as {horizon};"
    for macro, limit in (
        ("at_risk_limit", "sla_at_risk"),
        ("pick_pack_limit", "pick_pack_delay"),
        ("label_scan_limit", "label_scan_delay"),
    ):
        value = f"to_microseconds({_limit(policy, limit)})"
        yield f"create or replace macro {macro}(carrier, warehouse) as {value};"
    for name in RULES:
        yield (FOLDER / f"{name}.sql").read_text(encoding="utf-8")


def _truth(value: bool) -> str:
    return str(value).lower()


def fed_id(order_id: str = "order_id", stage: str = "stage", ts: str = "event_ts") -> str:
    """Give the SQL of the id that an event has which a night took out of a file."""
    return f"'scan-' || md5(concat_ws(chr(31), {order_id}, tracking_number, {stage}, epoch_us({ts})))"


def is_fed() -> str:
    """Give the SQL of whether a night took an event out of a file: a sender's own id may begin like that too."""
    return f"event_id like 'scan-%' and event_id = {fed_id()}"


def _limit(policy: Policy, name: str) -> str:
    """Give a limit as SQL over `carrier` and `warehouse`: the warehouse's override goes before the carrier's."""

    def choose(column: str, overrides: Mapping[str, Override], otherwise: str) -> str:
        limits = {key: getattr(override, name) for key, override in overrides.items()}
        cases = [f"when {quoted(key)} then {int(limit)}" for key, limit in limits.items() if limit is not None]
        return f"case {column} {' '.join(cases)} else {otherwise} end" if cases else otherwise

    general = str(int(getattr(policy.limits, name)))
    return choose("warehouse", policy.warehouse, choose("carrier", policy.carrier, general))


def parts(rows: int, most: int) -> Iterator[str]:
    """Give the conditions that divide so many rows by their waybills into parts of `most` rows, about.

    >>> list(parts(7, 4))
    ['hash(tracking_number) % 2 = 0', 'hash(tracking_number) % 2 = 1']
    """
    count = 1 + rows // most
    for number in range(count):
        yield f"hash(tracking_number) % {count} = {number}"


def quoted(text: str) -> str:
    """Give text as a literal of SQL.

    >>> quoted("d'or")
    "'d''or'"
    """
    return "'" + text.replace("'", "''") + "'"
