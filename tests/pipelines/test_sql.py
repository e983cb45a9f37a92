"""The command `sql`: anything can be asked, nothing can be changed."""

import argparse
import io
import json

import pyarrow as pa
import pytest

from pipelines import sql
from pipelines.errors import QueryError, UsageError
from pipelines.query import open_lake
from schemas.fields import arrow_schema, parse_time, to_batch
from schemas.rows import Milestone
from schemas.tables import TABLES
from transforms.publish.append import append
from transforms.publish.lake import Lake


@pytest.fixture
def lake(tmp_path):
    lake = Lake(tmp_path / "lake").check(create=True)
    rows = [Milestone("O1", "T1", "picked", parse_time("2026-03-02T06:00:00Z"))]
    table = TABLES["milestones"]
    append(lake, table, pa.Table.from_batches([to_batch(rows, arrow_schema(table.row))]))
    return lake


def run(lake, *words):
    parser = argparse.ArgumentParser(prog="milepost")
    sql.add_command(parser.add_subparsers())
    arguments = parser.parse_args(["sql", "--lake", str(lake.path), *words])
    return arguments.run(arguments)


def asked(lake, query):
    with open_lake(lake.path) as db:
        return sql.answer(db, query)


def test_one_query_is_answered(lake, capsys):
    assert run(lake, "--format", "json", "from first_milestones;") == 0
    assert json.loads(capsys.readouterr().out) == [
        {"order_id": "O1", "tracking_number": "T1", "milestone": "picked", "event_ts": "2026-03-02T06:00:00Z"}
    ]


@pytest.mark.parametrize(
    "query",
    [
        "with m as (from milestones) select count(*) from m",
        "describe parcels",
        "summarize milestones",
        "show tables",
        "values (1)",
        "pivot milestones on milestone using count(*)",
        "explain select 1",
        "explain (format json) select 1",
        "EXPLAIN ANALYZE from parcels",
        "from scorecard(['carrier'])",
        "select interval '1 day', 'infinity'::timestamptz, 170141183460469231731687303715884105727, {'a': [1]}",
    ],
)
@pytest.mark.parametrize("form", ["table", "json"])
def test_whatever_asks_is_answered(lake, query, form, capsys):
    assert run(lake, "--format", form, query) == 0
    assert capsys.readouterr().out


@pytest.mark.parametrize(
    "query",
    [
        "create table x (i int)",
        "drop view events",
        "delete from stages",
        "copy (select 1) to '{lake}/x.csv'",
        "copy (select 1) to '{file}' (format parquet, use_tmp_file false)",
        "explain analyze copy (select 1) to '{file}' (format parquet, use_tmp_file false)",
        "/* x */ explain /* y */ analyze copy (select 1) to '{file}' (format parquet, use_tmp_file false)",
        "explain analyze explain analyze copy (select 1) to '{file}' (format parquet, use_tmp_file false)",
        "set threads = 1",
        "call enable_logging()",
        "export database '{lake}/x'",
        "import database '{lake}/x'",
        "attach ':memory:' as other",
        "load icu",
        "prepare p as select 1",
        "begin",
    ],
)
def test_whatever_does_something_else_is_refused(lake, query):
    (file,) = (lake.path / "milestones").rglob("*.parquet")
    before = file.read_bytes()
    with pytest.raises(QueryError, match=r"^The lake can only be asked|^\w+ Error: "):
        asked(lake, query.format(lake=lake.path, file=file))
    assert file.read_bytes() == before
    assert not list(lake.path.glob("x*"))


@pytest.mark.parametrize(
    "query", ["selekt", "from nowhere", "select nope from events", "select 1 from /*", "select 'x'::int"]
)
def test_a_wrong_query_is_told_in_one_sentence(lake, query):
    with pytest.raises(QueryError, match=r"^\w+ Error: [^\n]+[^.!:]\.$"):
        asked(lake, query)


def test_one_query_means_one(lake):
    with pytest.raises(QueryError, match="One query is wanted, not 2"):
        asked(lake, "select 1; select 2")


@pytest.mark.parametrize("nothing", ["", " ; ", "-- only a remark"])
def test_an_empty_query_is_wrong_usage(lake, nothing):
    with pytest.raises(UsageError, match="empty"):
        run(lake, nothing)


def test_statements_are_read_from_standard_input(lake, monkeypatch, capsys):
    typed = (
        "-- first;\nselect 1 as a;\nfrom first_milestones\n  select milestone; select ';\n' as b;\n;;\nselect 4 as d"
    )
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    assert run(lake, "--format", "csv") == 0
    assert capsys.readouterr().out == 'a\n1\nmilestone\npicked\nb\n";\n"\nd\n4\n'


@pytest.mark.parametrize("errors", ["strict", "surrogateescape"])
def test_what_is_no_text_is_no_script(lake, monkeypatch, errors):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"select '\xff';"), "utf-8", errors))
    with pytest.raises(QueryError, match="no UTF-8"):
        run(lake, "--format", "csv")


def test_the_first_wrong_statement_ends_a_script(lake, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", io.StringIO("select 1 as a;\nselekt;\nselect 2;\n"))
    with pytest.raises(QueryError):
        run(lake, "--format", "csv")
    assert capsys.readouterr().out == "a\n1\n"
