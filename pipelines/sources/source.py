"""What a source is to the graph."""

from typing import Protocol

import apache_beam as beam
from apache_beam import pvalue

from schemas.fields import Micros


class Source(Protocol):
    """Where events come from."""

    live: bool
    """Whether its time is the time itself."""
    as_of: Micros | None
    """The horizon where it is fixed beforehand."""
    grid: Micros
    """Grid of the timers, in microseconds: fine when live, coarse in a replay. Results never depend on it."""

    def read(self) -> beam.PTransform:
        """Give the transform that reads blocks of lines."""

    def horizon(self, newest: beam.PCollection[Micros]) -> pvalue.AsSingleton | None:
        """Give the time up to which the world is known; None where it is whatever the clock shows.

        Args:
            newest: the newest event time of each block.
        """
