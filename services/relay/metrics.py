"""What the relay counts, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_LABELS = ("channel",)


class Metrics:
    """Counters, each by channel; a registry of their own."""

    def __init__(self) -> None:
        """Start at zero."""
        self.registry = CollectorRegistry()
        self.sends = Counter("milepost_relay_sends", "How sends went.", (*_LABELS, "went"), registry=self.registry)
        self.ended = Counter(
            "milepost_relay_ended", "Rows that are not sent again: dead or failed.", (*_LABELS, "state"),
            registry=self.registry,
        )  # fmt: skip
        self.seconds = Histogram("milepost_relay_send_seconds", "Seconds a send took.", _LABELS, registry=self.registry)
        self.waiting = Gauge("milepost_outbox_rows", "Rows not sent yet.", _LABELS, registry=self.registry)
        self.oldest = Gauge(
            "milepost_outbox_oldest_seconds", "Age of the oldest row not sent yet.", _LABELS, registry=self.registry
        )
        self.away = Counter("milepost_relay_database_away", "Times the database was away.", registry=self.registry)
