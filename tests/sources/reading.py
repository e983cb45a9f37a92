"""A graph that reads a live source on Flink and notes every line that it is given, in a process of its own.

python -m tests.sources.reading URI OUTPUT UNTIL [OPTION…]
"""

import os
import sys
import time

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.utils.timestamp import MAX_TIMESTAMP

from pipelines.sources import open_source
from pipelines.sources.spool import SpoolSource
from schemas.clock import Clock
from schemas.lines import LineBlock
from scripts.flink.options import flink_options

STREAMING = [
    "--streaming",
    "--checkpointing_interval=1000",
    "--max_bundle_time_mills=200",
    # As every live run has it: else a checkpoint that meets the step which splits the source holds all back for ever.
    "--finish_bundle_before_checkpointing",
]


class SlowSpool(SpoolSource):
    """A spool that takes so long to split that the first checkpoint meets it."""

    def split(self, desired_num_splits, options=None):
        time.sleep(3)
        return super().split(desired_num_splits, options)


class NoteFn(beam.DoFn):
    """Append what comes to a file: lines as they are, a tick as `tick`."""

    def __init__(self, output):
        self.output = output

    def process(self, element: LineBlock, timestamp=beam.DoFn.TimestampParam):
        text = element.lines if element.lines else b"tick"
        with open(self.output, "ab") as file:
            file.write(text + b"\n")
        with open(f"{self.output}.blocks", "a") as file:
            file.write(f"{time.time():.3f} {os.getpid()} {element.lines.count(bytes([10])) + 1} {timestamp}\n")
        yield b"", b""


class EndFn(beam.DoFn):
    """Note the end of time."""

    TIMER = beam.transforms.userstate.TimerSpec("end", beam.TimeDomain.WATERMARK)

    def __init__(self, output):
        self.output = output

    def process(self, element: tuple[bytes, bytes], timer=beam.DoFn.TimerParam(TIMER)):  # noqa: B008
        timer.set(MAX_TIMESTAMP - 86_400)

    @beam.transforms.userstate.on_timer(TIMER)
    def end(self):
        with open(f"{self.output}.end", "w") as file:
            file.write(f"{time.time()}")


def main(uri, output, until, *options):
    clock = Clock(until=int(until)) if int(until) else Clock()
    source = open_source(uri.removeprefix("slow+"), "", clock=clock, hold=0)
    if uri.startswith("slow+"):
        source.sources[0].__class__ = SlowSpool
    pipeline = beam.Pipeline(options=PipelineOptions([*flink_options(), *STREAMING, *options]))
    (
        pipeline
        | "Read" >> source.read()
        | "Note" >> beam.ParDo(NoteFn(output)).with_output_types(tuple[bytes, bytes])
        | "End" >> beam.ParDo(EndFn(output))
    )
    pipeline.run().wait_until_finish()


if __name__ == "__main__":
    main(*sys.argv[1:])
