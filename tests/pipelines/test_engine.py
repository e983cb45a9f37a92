"""How a graph is run: by which engine, and what is said when a worker fails."""

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.cli import sentence
from pipelines.engine import run_graph
from transforms.publish.lake import LakeError


def fail(number: int) -> int:
    raise LakeError(f"There is no lake at {number}.")


def broken(root: beam.Pipeline) -> None:
    root | beam.Create([7]) | "Fail" >> beam.Map(fail)


@pytest.mark.parametrize("threads", [1, 2])
def test_what_a_worker_raised_is_one_sentence(threads: int, capfd):
    with pytest.raises(Exception) as fault:
        run_graph(broken, PipelineOptions([]), "Trying", threads)
    assert sentence(fault.value).removesuffix(" [while running 'Fail']") == "There is no lake at 7."


def test_counters_come_back_from_every_thread():
    def count(root: beam.Pipeline) -> None:
        root | beam.Create(range(50)) | beam.Reshuffle() | "Count" >> beam.ParDo(Counting())

    assert run_graph(count, PipelineOptions([]), "Counting", threads=2)["seen"] == 50


class Counting(beam.DoFn):
    """Counts what comes by."""

    def process(self, element: int) -> None:
        beam.metrics.Metrics.counter("test", "seen").inc()
