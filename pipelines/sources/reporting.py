"""What a worker says of itself: one line a checkpoint, and where its metrics are served if that is asked for."""

import logging
import threading
import time
from collections.abc import Iterator
from typing import Optional

import apache_beam as beam

from pipelines.arguments import Listener
from pipelines.log import talk
from schemas.lines import LineBlock
from transforms.metrics import ACCEPTED, LINES, OPEN, REJECTED, REPEATED, ROWS, serve

LOG = logging.getLogger(__name__)

LOGGERS = ("pipelines.sources", "transforms.tell")

APART = 0.5
"""Seconds between what two checkpoints say, at least: of one checkpoint a source is told many times at once."""


class Report:
    """Says once a checkpoint what this process has done since the last one."""

    def __init__(self) -> None:
        """Begin now."""
        self.guard = threading.Lock()
        self.said = time.monotonic()
        self.heard = 0.0
        self.totals = dict.fromkeys(_COUNTED, 0)

    def checkpoint(self) -> None:
        """Take that a checkpoint is done; say so if it is not the one just said."""
        with self.guard:
            now = time.monotonic()
            fresh, self.heard = now - self.heard >= APART, now
            if not fresh:
                return
            totals = {name: counted.total() for name, counted in _COUNTED.items()}
            since = {name: totals[name] - self.totals[name] for name in totals}
            LOG.info({"event": "checkpoint", "seconds": round(now - self.said, 1), **since, "open": OPEN.total()})
            self.said, self.totals = now, totals


_COUNTED = {"lines": LINES, "accepted": ACCEPTED, "repeated": REPEATED, "rejected": REJECTED, "rows": ROWS}

REPORT = Report()
"""Of this process."""


class ReportingFn(beam.DoFn):
    """Passes blocks on; where it runs, the worker speaks and serves its metrics."""

    def __init__(self, metrics: Optional[Listener] = None) -> None:
        """Take where to serve metrics."""
        self.metrics = metrics

    def setup(self) -> None:
        """Begin; an engine sets up several of it in one process, which speaks and serves once."""
        talk(*LOGGERS)
        if self.metrics is None:
            return
        try:
            port = serve(*self.metrics)
        except OSError as fault:
            # What counts is that parcels are followed.
            LOG.warning({"event": "no_metrics", "why": fault.strerror or str(fault)})
        else:
            if port is not None:
                LOG.info({"event": "metrics", "host": self.metrics.host, "port": port})

    def process(self, element: LineBlock) -> Iterator[LineBlock]:
        """Give it back."""
        yield element
