"""What the gateway counts, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

CODES = 200
"""How many different unknown codes are counted by name, of all senders; the rest count as `other`."""
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """Counters in a registry of their own."""

    def __init__(self) -> None:
        """Start at zero."""
        registry = self.registry = CollectorRegistry()
        self.requests = Counter(
            "milepost_gateway_requests", "Requests by what was answered.", ("sender", "status"), registry=registry
        )
        self.problems = Counter(
            "milepost_gateway_problems", "Requests that were not taken.", ("sender", "problem"), registry=registry
        )
        self.events = Counter(
            "milepost_gateway_events", "Events that were taken and are durable.", ("sender",), registry=registry
        )
        self.repeats = Counter(
            "milepost_gateway_repeats", "Bodies answered without work, for they came before.", ("sender",),
            registry=registry,
        )  # fmt: skip
        self.unknown = Counter(
            "milepost_gateway_unknown", "Codes that a sender's table does not have.", ("sender", "code"),
            registry=registry,
        )  # fmt: skip
        self.doubtful = Counter(
            "milepost_gateway_doubtful", "Codes whose parts contradict each other.", ("sender",), registry=registry
        )
        self.successors = Counter(
            "milepost_gateway_successors", "Waybills said to go on under another one.", ("sender",), registry=registry
        )
        self.fields = Counter(
            "milepost_gateway_unknown_fields", "Fields of the shop's events that Milepost does not know.",
            registry=registry,
        )  # fmt: skip
        self.quarantine = Counter(
            "milepost_gateway_quarantine", "Bodies kept for replay, or dropped for want of room.", ("sender", "went"),
            registry=registry,
        )  # fmt: skip
        self.seconds = Histogram(
            "milepost_gateway_seconds", "Seconds from a request's head to its answer.", ("sender",), buckets=_SECONDS,
            registry=registry,
        )  # fmt: skip
        self.commits = Histogram(
            "milepost_gateway_commit_seconds", "Seconds until the disk had a group of lines.", buckets=_SECONDS,
            registry=registry,
        )  # fmt: skip
        self.spool = Gauge("milepost_gateway_spool_bytes", "Bytes in the spool that are not done.", registry=registry)
        self.forwarded = Counter(
            "milepost_gateway_forwarded", "Events that the broker has acknowledged.", registry=registry
        )
        self.away = Gauge("milepost_gateway_broker_away", "1 while the broker does not take events.", registry=registry)
        self._codes: set[tuple[str, str]] = set()

    def count_unknown(self, sender: str, code: str, times: int) -> None:
        """Count a code; what it is comes from outside, so only so many become labels."""
        if (sender, code) not in self._codes:
            if len(self._codes) >= CODES:
                code = "other"
            else:
                self._codes.add((sender, code))
        self.unknown.labels(sender, code).inc(times)
