"""Evidence: what the live side knows of the parcels in scope, laid aside by carrier for comparing with its files."""

from pathlib import Path

import duckdb

from schemas.stages import CARRIER_STAGES, CLOSING_STAGES
from schemas.tables import EVENTS
from transforms.follow.in_sql import is_fed, quoted
from transforms.publish.lake import Lake, connect
from transforms.reconcile.scope import Scope

WAYBILLS = "waybills.parquet"
"""File of the night: whose each waybill is.

Columns: carrier, order_id, tracking_number, from_ts and until_ts (scans from the one up to the other are this order's;
waybill numbers are recycled), labeled_ts, declared_value."""

SIGHTINGS = "sightings.parquet"
"""File of the night: the carriers' events, and those that close a parcel.

Columns: carrier, order_id, tracking_number, stage, event_ts, reason, fed (a night took it out of a file)."""

FED_COLUMNS = "event_id, order_id, carrier, tracking_number, stage, event_ts, reason, hub"
"""What an event has that a night took out of a file."""

_TOLD = """
create table parcels as
select
    order_id,
    tracking_number,
    arg_min(carrier, (event_ts, event_id)) as carrier,
    min(event_ts) as first_event_ts,
    min(event_ts) filter (stage = 'labeled') as labeled_ts,
    max(declared_value) as declared_value
from known
group by order_id, tracking_number
"""

# Of the orders that had one waybill number, the one that had begun last before a scan is meant.
_WAYBILLS = """
select carrier, order_id, tracking_number, labeled_ts, declared_value,
    case when lag(order_id) over numbers is null then '-infinity' else first_event_ts end as from_ts,
    lead(first_event_ts, 1, 'infinity') over numbers as until_ts
from parcels
where carrier is not null
window numbers as (partition by carrier, tracking_number order by first_event_ts, order_id)
"""


def known_events(scope: Scope) -> str:
    """Give the SQL of all events of the parcels in scope, `fed` for those that a night took out of a file."""
    rows = Lake(scope.lake).rows(EVENTS, list(scope.events))
    return f"""(select *, {is_fed()} as fed
        from {scope.only(rows)} where order_id is not null)"""


def gather(scope: Scope) -> list[str]:
    """Lay the evidence aside; give the carriers that it tells of."""
    folder = Path(scope.folder)
    with connect(folder) as db:
        db.execute(f"create view known as from {known_events(scope)}")
        db.execute(_TOLD)
        stages = ", ".join(map(quoted, sorted(CARRIER_STAGES | CLOSING_STAGES)))
        _lay_aside(db, folder / WAYBILLS, _WAYBILLS)
        _lay_aside(
            db,
            folder / SIGHTINGS,
            f"""select parcels.carrier, order_id, tracking_number, stage, event_ts, reason, fed
                from known join parcels using (order_id, tracking_number)
                where stage in ({stages}) and parcels.carrier is not null""",
        )
        return [
            name for (name,) in db.execute("select distinct carrier from parcels where carrier is not null").fetchall()
        ]


def laid_aside(scope: Scope, what: str, carrier: str) -> str:
    """Give the SQL of the rows of WAYBILLS or SIGHTINGS that are of one carrier."""
    return f"(from read_parquet({quoted(str(Path(scope.folder, what)))}) where carrier = {quoted(carrier)})"


def _lay_aside(db: duckdb.DuckDBPyConnection, file: Path, query: str) -> None:
    db.execute(f"copy ({query} order by carrier) to {quoted(str(file))} (format parquet)")
