"""The command `views`: what its script binds in a DuckDB of its own is what `milepost sql` answers."""

import duckdb
import pytest

from pipelines.cli import main
from pipelines.query import FOLDER, VIEWS, open_lake
from pipelines.report import REPORTS, names, report
from pipelines.view_script import delta_script, pinned_script
from schemas.alerts import raised
from schemas.fields import HOUR, parse_time
from schemas.rows import HubScan, Milestone
from schemas.tables import TABLES
from tests.builders import MONDAY, event
from tests.pipelines.lakes import put
from transforms.publish.lake import Lake

RELATIONS = (*TABLES, "stages", "parcels", *(view for view in VIEWS if view != "scorecard"))
HOSTILE = 'it\'s a "lake"; create view x as -- 100 %'
STAND_IN = """create macro delta_scan(path) as table
    from read_parquet(replace(replace(path, 'file://', ''), '%20', ' ') || '/*/**/*.parquet', hive_partitioning = true)"""
"""In place of the extension, which is of another DuckDB: this reads all files of a table, of which none was replaced."""


def filled(folder):
    """Make a lake with something in the tables that the views read."""
    lake = Lake(folder).check(create=True)
    stages = {"picked": 0, "packed": 1, "labeled": 2, "carrier_scanned": 5, "out_for_delivery": 30}
    put(lake, "events", *(event(stage, MONDAY + hours * HOUR, carrier="ups") for stage, hours in stages.items()))
    put(lake, "events", event("delivered", MONDAY + 40 * HOUR, "o2", "t2", promise=MONDAY + 30 * HOUR, carrier="dtdc"))
    put(lake, "milestones", Milestone("o1", "t1", "picked", MONDAY))
    put(lake, "alerts", raised("o1", "t1", "sla_breached", MONDAY + 9 * HOUR, "e"))
    put(lake, "hub_scans", HubScan("ups", "t1", MONDAY + 6 * HOUR, "IN", "H1", "hub_in", None, "f"))
    return lake


def run(script):
    """Run a script in a DuckDB that knows nothing of Milepost."""
    db = duckdb.connect()
    db.execute("set timezone = 'Asia/Kolkata'")
    db.execute(script)
    return db


def everything(db):
    """Give the rows of every table and view."""
    return {name: sorted(db.sql(f"from {name}").fetchall(), key=repr) for name in RELATIONS}


@pytest.mark.parametrize("name", ["lake", HOSTILE])
@pytest.mark.parametrize("as_of", [None, MONDAY + 20 * HOUR])
def test_the_pinned_script_says_in_any_duckdb_what_the_lake_says(tmp_path, name, as_of):
    lake = filled(tmp_path / name)
    with open_lake(lake.path, as_of) as db, run(pinned_script(lake.path, as_of)) as other:
        wanted = everything(db)
        assert everything(other) == wanted
        shown = "from scorecard(['carrier']) order by carrier"
        assert other.sql(shown).fetchall() == db.sql(shown).fetchall()
    assert all(wanted[name] for name in ("events", "parcels", "current_alerts", "hub_scans", "sla_status"))


@pytest.mark.parametrize("name", names())
def test_a_report_runs_as_it_stands_after_the_script(tmp_path, name):
    lake = filled(tmp_path / "lake")
    with run(pinned_script(lake.path)) as db:
        found = db.sql((REPORTS / f"{name}.sql").read_text(encoding="utf-8")).to_arrow_table()
    assert found.to_pylist() == report(name, lake.path).rows.to_pylist()


def test_the_script_can_be_run_again_over_an_older_one(tmp_path):
    lake = filled(tmp_path / "lake")
    with run(pinned_script(lake.path)) as db:
        put(lake, "events", event("delivered", MONDAY + 50 * HOUR, carrier="ups"))
        assert db.sql("select count(*) from events").fetchall() == [(6,)]
        db.execute(pinned_script(lake.path))
        assert db.sql("select count(*) from events").fetchall() == [(7,)]


def test_views_stay_when_the_database_is_opened_again(tmp_path):
    lake = filled(tmp_path / "lake")
    with duckdb.connect(tmp_path / "views.duckdb") as db:
        db.execute(pinned_script(lake.path))
    with duckdb.connect(tmp_path / "views.duckdb", read_only=True) as db, open_lake(lake.path) as known:
        assert everything(db) == everything(known)


@pytest.mark.parametrize("name", ["lake", "a lake"])
def test_the_delta_script_follows_what_is_written_later_but_keeps_to_its_night(tmp_path, name):
    lake = filled(tmp_path / name)
    db = duckdb.connect()
    db.execute(STAND_IN)
    db.execute(delta_script(lake.path))
    with db, open_lake(lake.path) as known:
        assert everything(db) == everything(known)
        put(lake, "events", event("delivered", MONDAY + 50 * HOUR, carrier="ups"))
        ((horizon, epoch),) = db.sql("select horizon(), epoch_us(horizon())").fetchall()
        assert (epoch, horizon.tzinfo is not None) == (MONDAY + 50 * HOUR, True)


def test_a_folder_whose_name_has_a_line_feed_does_not_end_the_comment(tmp_path):
    lake = Lake(tmp_path / "a\ncreate table x (i int); --").check(create=True)
    for script in (pinned_script(lake.path), delta_script(lake.path)):
        with run(script) as db:
            assert db.sql("from duckdb_tables()").fetchall() == []


def test_the_delta_script_names_each_table_of_live_runs_and_the_files_of_the_night(tmp_path):
    lake = filled(tmp_path / HOSTILE)
    script = delta_script(lake.path)
    for table in ("events", "milestones", "alerts"):
        place = (lake.path / table).resolve().as_uri().replace("'", "''")
        assert f"from delta_scan('{place}'))" in script
    assert script.count("delta_scan(") == 3
    (file,) = (lake.path / "hub_scans").rglob("*.parquet")
    assert str(file).replace("'", "''") in script
    statements = duckdb.connect().extract_statements(script)
    assert len(statements) == len(duckdb.connect().extract_statements(pinned_script(lake.path)))


def test_a_horizon_holds_in_the_delta_script_too(tmp_path):
    lake = filled(tmp_path / "lake")
    script = delta_script(lake.path, parse_time("2026-03-02T10:00:00Z"))
    assert "create or replace macro horizon() as timestamptz '2026-03-02T10:00:00Z';" in script
    assert "where event_ts <= timestamptz '2026-03-02T10:00:00Z'" in script


def test_the_lake_itself_is_bound_by_the_same_files():
    for view in VIEWS:
        assert f"create or replace {'macro' if view == 'scorecard' else 'view'} {view}" in (
            FOLDER / f"{view}.sql"
        ).read_text(encoding="utf-8")


def test_the_command_prints_or_writes_it(tmp_path, capsys):
    lake = filled(tmp_path / "lake")
    assert main(["views", "--lake", str(lake.path)]) == 0
    assert capsys.readouterr().out == pinned_script(lake.path)
    assert main(["views", "--lake", str(lake.path), "--delta", "--out", str(tmp_path / "views.sql")]) == 0
    assert (tmp_path / "views.sql").read_text(encoding="utf-8") == delta_script(lake.path)


def test_no_lake_is_one_sentence(tmp_path, capsys):
    assert main(["views", "--lake", str(tmp_path / "nowhere")]) == 1
    assert capsys.readouterr().err == f"milepost: There is no lake at {tmp_path / 'nowhere'}.\n"
