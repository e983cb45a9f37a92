"""Live sources in the graph: one or several, read as their lines come."""

from collections.abc import Sequence

import apache_beam as beam
from apache_beam.io.unbounded_source import ReadFromUnboundedSource

from pipelines.sources.unbounded import LineSource
from schemas.fields import SECOND, Micros
from schemas.lines import LineBlock

POLL = 0.05
"""Seconds until a reader that had nothing is asked again."""
BUNDLE = 0.2
"""Seconds of reading after which a bundle ends: what follows gets to work only then."""

GRID = 30 * SECOND
"""Microseconds between two looks at what is due."""


class Live:
    """Live sources, as the graph sees them: one or several at a time."""

    live = True

    def __init__(self, sources: Sequence[LineSource]) -> None:
        """Take the sources of lines, which all tell the same time."""
        self.as_of: Micros | None = None
        self.sources = tuple(sources)
        clock = self.sources[0].timing.clock
        # A timer costs the engine real time, however fast the clock of a trial runs.
        self.grid = int(GRID * (clock.speed if clock.real else 1))

    def read(self) -> beam.PTransform:
        """Give the transform that reads blocks of lines as they come."""
        return ReadLive(self.sources)

    def horizon(self, newest: beam.PCollection[Micros]) -> None:
        """Give none: it is whatever the time is."""


class ReadLive(beam.PTransform):
    """Read sources of lines that do not end.

    Takes: the root of a pipeline.
    Gives: LineBlock, global window; an empty one now and then where nothing comes.
    """

    def __init__(self, sources: Sequence[LineSource]) -> None:
        """Take the sources."""
        super().__init__()
        self.sources = sources

    def expand(self, root: beam.Pipeline) -> beam.PCollection[LineBlock]:
        """Wire one reading step a source."""
        # A source's part in the lines is kept in the engine's state by the step's name: so names come by their order.
        read = [
            root | f"From {number}" >> ReadFromUnboundedSource(one, poll_interval=POLL, max_read_time_seconds=BUNDLE)
            for number, one in enumerate(self.sources, 1)
        ]
        return read[0] if len(read) == 1 else read | "Together" >> beam.Flatten()
