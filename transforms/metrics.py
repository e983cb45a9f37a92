"""What the steps count: for Beam, which knows the whole job, and for Prometheus, which asks each process how it does.

Beam has `lines_read`, `rejected_<reason>`, `rows_<table>` and so on in the namespace `milepost`; Prometheus the same
as `milepost_lines_read_total`, `milepost_rejected_total{reason="…"}`. Spans of time are in ms there, in seconds here.
"""

import threading
from contextlib import suppress

import apache_beam as beam
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

from schemas.fields import SECOND, Micros

REGISTRY = CollectorRegistry()
"""Of this process."""

TRIES = 16
"""Ports that are tried, one after the other: several workers may be on one machine."""

_BUCKETS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 60, 300, 900, 3_600, 6 * 3_600, 86_400)


class Count:
    """Something that is counted, by one label or none."""

    def __init__(self, name: str, about: str, label: str = "") -> None:
        """Name it."""
        self.name = name
        self._counter = Counter(f"milepost_{name}", about, [label] if label else [], registry=REGISTRY)

    def add(self, count: int = 1, label: str = "") -> None:
        """Count some more."""
        named = f"{self.name}_{label}" if label else self.name
        beam.metrics.Metrics.counter("milepost", named).inc(count)
        (self._counter.labels(label) if label else self._counter).inc(count)

    def total(self) -> int:
        """Give how many this process has counted, whatever the label."""
        return sum(
            int(sample.value)
            for metric in self._counter.collect()
            for sample in metric.samples
            if sample.name.endswith("_total")
        )


class Span:
    """How long something took, or how late it came."""

    def __init__(self, name: str, about: str) -> None:
        """Name it."""
        self._beam = beam.metrics.Metrics.distribution("milepost", f"{name}_ms")
        self._histogram = Histogram(f"milepost_{name}_seconds", about, registry=REGISTRY, buckets=_BUCKETS)

    def take(self, length: Micros) -> None:
        """Take one length of time in microseconds."""
        self._beam.update(length // 1_000)
        self._histogram.observe(length / SECOND)


class Level:
    """A number that goes up and down, by shard."""

    def __init__(self, name: str, about: str) -> None:
        """Name it."""
        self.name = name
        self._gauge = Gauge(f"milepost_{name}", about, ["shard"], registry=REGISTRY)

    def set(self, shard: int, number: int) -> None:
        """Say where it stands."""
        beam.metrics.Metrics.gauge("milepost", f"{self.name}_{shard}").set(number)
        self._gauge.labels(shard).set(number)

    def total(self) -> int:
        """Give the sum over the shards of this process."""
        return sum(int(sample.value) for metric in self._gauge.collect() for sample in metric.samples)


LINES = Count("lines_read", "Lines read from sources.")
UNKNOWN = Count("unknown_fields", "Fields of events that Milepost does not know.")
REJECTED = Count("rejected", "Lines that could not be taken.", "reason")
ACCEPTED = Count("events_accepted", "Events accepted, each once.")
REPEATED = Count("events_repeated", "Events that had been accepted before.")
ROWS = Count("rows", "Rows added to the lake.", "table")
TOLD = Count("told", "Rows moved or added in the database.", "what")
LATENESS = Span("lateness", "How long after they happened events came in.")
ALERT_LATENCY = Span("alert_latency", "How long after it was due an alert was raised.")
COMMIT = Span("commit", "How long a commit to the lake took.")
TELL = Span("tell", "How long a transaction with the database took.")
OPEN = Level("open_parcels", "Parcels that are still awaited.")


_SERVING: set[tuple[str, int]] = set()
_GUARD = threading.Lock()


def serve(host: str, port: int) -> int | None:
    """Serve this process's metrics at /metrics, if that was not asked for before.

    Args:
        host: where.
        port: the one named, or where that is taken one of the next.

    Returns:
        The port, or None where it was asked for before.

    Raises:
        OSError: none of them is free.
    """
    with _GUARD:
        if (host, port) in _SERVING:
            return None
        _SERVING.add((host, port))
        for tried in range(port, port + TRIES - 1):
            with suppress(OSError):
                start_http_server(tried, host, REGISTRY)
                return tried
        start_http_server(port + TRIES - 1, host, REGISTRY)
        return port + TRIES - 1
