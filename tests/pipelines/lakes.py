"""What tests put into a lake, and ask of it: its rows as sorted lists, comparable with an oracle's."""

from pathlib import Path

import duckdb
import msgspec

from pipelines.live import run_live
from pipelines.query import open_lake
from schemas.fields import Micros
from schemas.policy import Policy
from schemas.tables import TABLES
from tests.transforms.publish.rows import add
from transforms.publish.lake import Lake

QUERIES = {
    "events": "from events",
    "milestones": "select order_id, tracking_number, milestone, event_ts from milestones",
    "first_milestones": "select order_id, tracking_number, milestone, event_ts from first_milestones",
    "alerts": "select order_id, tracking_number, kind, due_ts, state, state_ts from current_alerts",
    "visits": """select order_id, tracking_number, start_ts, end_ts, events, hubs, ended_ts, closed from visits""",
    "parcels": "from parcels",
}


def replay(lines: bytes, folder: Path, lake: str = "lake", as_of: Micros | None = None, name: str = "a") -> Path:
    """Run the live graph over lines; give the lake."""
    folder.mkdir(parents=True, exist_ok=True)
    source = folder / f"{name}.jsonl"
    source.write_bytes(lines)
    run_live(str(source), str(folder / lake), Policy(), as_of)
    return folder / lake


def put(lake: Lake, table: str, *given: msgspec.Struct) -> None:
    """Append rows to a table, and let readers see them."""
    add(lake, TABLES[table], given)


def rows(lake: Path, as_of: Micros | None = None) -> dict[str, list[tuple]]:
    """Give all that parity is about, each sorted as text."""
    with open_lake(lake, as_of) as db:
        return {name: sorted(db.sql(query).fetchall(), key=repr) for name, query in QUERIES.items()}


def raw(lake: Path, table: str, without: str = "") -> list[tuple]:
    """Give a table's rows as they stand."""
    query = f"select * {f'exclude ({without})' if without else ''} from {table}"
    with open_lake(lake) as db:
        return sorted(db.sql(query).fetchall(), key=repr)


def differences(lake: Path, shop: Path, name: str, view: str) -> tuple[int, list, list]:
    """Give the number of true rows, those that the lake lacks, and those that it has beside them."""
    truth = shop / "truth" / f"{name}.parquet"
    columns = ", ".join(column for column, *_ in duckdb.sql(f"describe from '{truth}'").fetchall())
    with open_lake(lake) as db:
        found = db.sql(f"select {columns} from {view}").to_arrow_table()
    with duckdb.connect() as db:
        db.execute("set timezone = 'UTC'")
        db.register("found", found)
        true = f"(select {columns} from '{truth}')"
        (count,) = db.sql(f"select count(*) from {true}").fetchall()[0]
        lacking = db.sql(f"from {true} except all from found limit 5").fetchall()
        extra = db.sql(f"from found except all from {true} limit 5").fetchall()
    return count, lacking, extra
