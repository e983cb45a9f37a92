"""The command `export`: files that hold what the lake holds, whole or not at all, and no formula."""

import csv
import io
import os
import stat

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines import export
from pipelines.cli import main
from pipelines.query import open_lake
from pipelines.render import FORMULA, Answer, as_csv
from schemas.fields import HOUR
from schemas.rows import Rejection, Visit
from schemas.tables import TABLES
from tests.builders import MONDAY, event
from tests.pipelines.lakes import put
from transforms.publish.lake import connect


@pytest.fixture
def filled(lake):
    """Give a lake with two orders on two days."""
    put(lake, "events", event("picked", MONDAY, reason="=1+1"), event("packed", MONDAY + HOUR + 1))
    put(lake, "events", event("picked", MONDAY + 24 * HOUR, "o2", "t2", value=-0.0, carrier='a "b",\nc'))
    put(lake, "visits", Visit("v", "o1", "t1", MONDAY, MONDAY + HOUR, 2, ["H1", '=H"2'], None, False))
    put(lake, "rejections", Rejection("r", "bad", "", b"=cmd\xff", 5, "f", 1, MONDAY))
    return lake


def run(lake, *words):
    return main(["export", *words, "--lake", str(lake.path)])


def asked(lake, query):
    with open_lake(lake.path) as db:
        return db.sql(query).to_arrow_table()


@pytest.mark.parametrize("name", ["events", "parcels", "visits", "rejections", "hub_legs", "stages", "sla_status"])
def test_parquet_holds_every_row_with_its_types(filled, tmp_path, name, capsys):
    assert run(filled, name, "--out", str(tmp_path / "out.parquet")) == 0
    found, wanted = pq.read_table(tmp_path / "out.parquet"), asked(filled, f"from {name}")
    assert found.schema.names == wanted.schema.names
    with open_lake(filled.path) as db, connect() as other:
        described = other.sql(f"describe (from read_parquet('{tmp_path / 'out.parquet'}'))").fetchall()
        assert described == db.sql(f"describe (from {name})").fetchall()
    assert sorted(map(repr, found.to_pylist())) == sorted(map(repr, wanted.to_pylist()))
    count = wanted.num_rows
    said = f"Wrote {count} {'row' if count == 1 else 'rows'} of {name} to {tmp_path / 'out.parquet'}.\n"
    assert capsys.readouterr().out == said
    if count:
        assert pq.ParquetFile(tmp_path / "out.parquet").metadata.row_group(0).column(0).compression == "ZSTD"


@pytest.mark.parametrize("name", ["events", "parcels", "visits", "hub_legs", "stages"])
def test_csv_says_what_a_query_says_in_csv(filled, tmp_path, name):
    assert run(filled, name, "--format", "csv", "--out", str(tmp_path / "out.csv")) == 0
    with (tmp_path / "out.csv").open(newline="", encoding="utf-8") as file:
        found = list(csv.reader(file))
    wanted = list(csv.reader(io.StringIO(as_csv(Answer(asked(filled, f"from {name}"))), newline="")))
    plain = [[cell.replace('", "', '","') for cell in row] for row in wanted]
    assert (found[0], sorted(found[1:])) == (plain[0], sorted(plain[1:]))


TEXTS = st.one_of(st.text(max_size=8), st.builds(str.__add__, st.sampled_from(FORMULA), st.text(max_size=8)))


@settings(max_examples=30)
@given(texts=st.lists(TEXTS.filter(lambda text: "\0" not in text), min_size=1, max_size=5))
def test_no_text_in_a_csv_file_begins_a_formula_and_none_is_lost(tmp_path_factory, texts):
    file = tmp_path_factory.mktemp("csv") / "out.csv"
    with connect() as db:
        db.execute("create table t (n integer, said varchar, raw blob)")
        db.executemany("insert into t values (?, ?, ?)", [(n, text, text.encode()) for n, text in enumerate(texts)])
        export.write_rows(db, "t", "csv", file)
    with file.open(newline="", encoding="utf-8") as lines:
        found = list(csv.reader(lines))[1:]
    assert not [cell for row in found for cell in row if cell.startswith(FORMULA)]
    assert [row[1] for row in found] == [f"'{text}" if text.startswith(FORMULA) else text for text in texts]


@pytest.mark.parametrize(
    ("words", "count"),
    [
        ([], 3),
        (["--from", "2026-03-03"], 1),
        (["--to", "2026-03-02"], 2),
        (["--order", "o1"], 2),
        (["--tracking-number", "t2"], 1),
        (["--order", "o1", "--from", "2026-03-03"], 0),
        (["--order", "' or true --"], 0),
        (["--horizon", "2026-03-02T00:30:00Z"], 1),
    ],
)
def test_rows_are_chosen_by_day_order_and_waybill(filled, tmp_path, words, count):
    assert run(filled, "events", "--out", str(tmp_path / "out"), *words) == 0
    assert pq.read_table(tmp_path / "out").num_rows == count


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["nope"], "There is no table or view nope; there are alerts, "),
        (["events; drop view events"], "There is no table or view events; drop view events; there are "),
        (["events", "--format", "jsonld"], "jsonld is the format of epcis, and of nothing else."),
        (["epcis", "--format", "csv"], "jsonld is the format of epcis, and of nothing else."),
        (["events", "--epc-prefix", "https://x.example"], "--epc-prefix is of use for epcis alone."),
        (["epcis"], "EPCIS names parcels by URIs of your own: give a --epc-prefix, "),
        (["epcis", "--epc-prefix", "not a uri"], "EPCIS names parcels by URIs of your own: give a --epc-prefix, "),
        (["events", "--from", "2026-03-03", "--to", "2026-03-02"], "The period ends (2026-03-02) before it begins"),
        (["sla_status", "--from", "2026-03-03"], "sla_status has no time of its own to choose days by."),
        (["rejections", "--order", "o1"], "rejections has no column order_id to choose by."),
    ],
)
def test_a_wrong_command_is_one_sentence_and_writes_nothing(filled, tmp_path, capsys, words, sentence):
    out = tmp_path / "out"
    out.write_text("as before", encoding="utf-8")
    assert run(filled, *words, "--out", str(out)) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"milepost: {sentence}") and said.count("\n") == 1
    assert out.read_text(encoding="utf-8") == "as before"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".milepost")] == []


def test_what_fails_halfway_leaves_the_older_file(filled, tmp_path, capsys):
    out = tmp_path / "out.csv"
    out.write_text("as before", encoding="utf-8")
    for file in (filled.path / "visits").rglob("*.parquet"):
        # Its end, which tells the columns, stays.
        file.write_bytes(b"\0" * 200 + file.read_bytes()[200:])
    assert run(filled, "visits", "--format", "csv", "--out", str(out)) == 1
    assert capsys.readouterr().err.startswith("milepost: visits cannot be exported: ")
    assert out.read_text(encoding="utf-8") == "as before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lake", "out.csv"]


def test_a_folder_that_is_not_there_is_one_sentence(filled, tmp_path, capsys):
    out = tmp_path / "nowhere" / "out.csv"
    assert run(filled, "visits", "--out", str(out)) == 2
    assert capsys.readouterr().err == f"milepost: {out} cannot be written: No such file or directory.\n"


def test_a_file_is_as_readable_as_any_and_a_link_or_device_stays_one(filled, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert run(filled, "visits", "--format", "csv", "--out", str(tmp_path / "link")) == 0
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text(encoding="utf-8").startswith("visit_id,")
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE((tmp_path / "real").stat().st_mode) == 0o666 & ~mask
    assert run(filled, "visits", "--format", "csv", "--out", "/dev/null") == 0
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_the_workbench_lets_an_export_reach_nothing_else(filled, tmp_path):
    bench = tmp_path / "bench"
    bench.mkdir()
    with open_lake(filled.path, workbench=bench) as db:
        assert export.write_rows(db, "events", "csv", bench / "draft") == 3
        with pytest.raises(Exception, match="Permission"):
            export.write_rows(db, "events", "csv", tmp_path / "elsewhere")


def test_every_table_can_be_chosen_by_day(filled, tmp_path):
    for name in TABLES:
        assert run(filled, name, "--from", "2026-03-02", "--out", str(tmp_path / "out")) == 0
