"""Rows cross a real process boundary: the same replay in worker processes gives the same lake."""

from pathlib import Path

import apache_beam as beam
import pyarrow as pa
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that, equal_to

from pipelines.live import run_live
from pipelines.simulate import run
from schemas.fields import to_batch
from schemas.lines import LineBlock
from schemas.policy import Policy
from schemas.rows import Alert, Rejection, Visit
from schemas.tables import VISITS
from tests.pipelines.lakes import raw

WORKERS = ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]

ROWS = [
    LineBlock("events.jsonl", 7, b"\xff\x00", 1),
    Alert("a", "raised", "o", "t", "exception", 1, 2, "é"),
    Visit("v", "o", "t", 1, 2, 3, ["AMD", "BOM"], None, True),
    Rejection("r", "malformed_json", "", b"\xff", 1, "f", 1, 2),
]


def describe(element: object) -> str:
    """Say what an element is, in the worker's own process."""
    return f"{type(element).__module__}.{type(element).__name__} {element}"


def rebuilt(batch: pa.RecordBatch) -> list[dict]:
    return batch.to_pylist()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: type(row).__name__)
def test_a_row_keeps_its_class_in_another_process(row: object):
    with beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions(WORKERS)) as root:
        said = root | beam.Create([row]).with_output_types(type(row)) | beam.Reshuffle() | beam.Map(describe)
        assert_that(said, equal_to([describe(row)]))


def test_a_batch_keeps_its_rows_in_another_process():
    batch = to_batch([ROWS[2]], VISITS.row_schema)
    with beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions(WORKERS)) as root:
        said = root | beam.Create([batch]).with_output_types(pa.RecordBatch) | beam.Reshuffle() | beam.Map(rebuilt)
        assert_that(said, equal_to([batch.to_pylist()]))


def test_the_whole_graph_in_worker_processes_leaves_the_same_lake(tmp_path: Path):
    run(tmp_path / "sim", 300, 10, 5)
    source = str(tmp_path / "sim" / "events.jsonl")
    run_live(source, str(tmp_path / "here"), Policy())
    run_live(source, str(tmp_path / "there"), Policy(), options=PipelineOptions(WORKERS))
    for table in ("events", "milestones", "alerts", "visits"):
        assert raw(tmp_path / "there", table) == raw(tmp_path / "here", table)
