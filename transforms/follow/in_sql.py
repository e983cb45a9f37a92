"""The rules of the journey as SQL, for whole tables of events: what `journey` says of one parcel, of all at once.

`parcels.sql` and `spans.sql` beside this file build on the relation `events`, and on what `bind_rules` binds.
"""

from collections.abc import Mapping
from pathlib import Path

import duckdb

from schemas.fields import Micros, to_text
from schemas.policy import Override, Policy
from schemas.stages import CRITICAL_STAGES, STAGES

FOLDER = Path(__file__).parent
RULES = ("spans", "parcels")


def bind_rules(db: duckdb.DuckDBPyConnection, horizon: Micros, policy: Policy) -> None:
    """Bind the rules over the relation `events` that the connection has.

    It binds the table `stages` (stage, rank, closing, critical), the macros `horizon()`, `at_risk_limit(carrier,
    warehouse)`, `pick_pack_limit`, `label_scan_limit` and those of `spans.sql`, and the view `parcels`.

    Args:
        db: a connection that has `events`.
        horizon: the time up to which the world is known.
        policy: the limits.
    """
    db.execute("""create table stages (
            stage varchar primary key, rank integer not null, closing boolean not null, critical boolean not null)""")
    db.executemany(
        "insert into stages values (?, ?, ?, ?)",
        [(stage.name, stage.rank, stage.closing, stage.name in CRITICAL_STAGES) for stage in STAGES.values()],
    )
    db.execute(f"create macro horizon() as timestamptz '{to_text(horizon)}'")
    for macro, limit in (
        ("at_risk_limit", "sla_at_risk"),
        ("pick_pack_limit", "pick_pack_delay"),
        ("label_scan_limit", "label_scan_delay"),
    ):
        db.execute(f"create macro {macro}(carrier, warehouse) as to_microseconds({_limit(policy, limit)})")
    for name in RULES:
        db.execute((FOLDER / f"{name}.sql").read_text(encoding="utf-8"))


def _limit(policy: Policy, name: str) -> str:
    """Give a limit as SQL over `carrier` and `warehouse`: the warehouse's override goes before the carrier's."""

    def choose(column: str, overrides: Mapping[str, Override], otherwise: str) -> str:
        limits = {key: getattr(override, name) for key, override in overrides.items()}
        cases = [f"when {quoted(key)} then {int(limit)}" for key, limit in limits.items() if limit is not None]
        return f"case {column} {' '.join(cases)} else {otherwise} end" if cases else otherwise

    general = str(int(getattr(policy.limits, name)))
    return choose("warehouse", policy.warehouse, choose("carrier", policy.carrier, general))


def quoted(text: str) -> str:
    """Give text as a literal of SQL.

    >>> quoted("d'or")
    "'d''or'"
    """
    return "'" + text.replace("'", "''") + "'"
