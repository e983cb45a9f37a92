"""What the desk counts, for Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Metrics:
    """Counters in a registry of their own."""

    def __init__(self) -> None:
        """Start at zero."""
        registry = self.registry = CollectorRegistry()
        self.requests = Counter(
            "milepost_desk_requests", "Requests by what was answered.", ("page", "status"), registry=registry
        )
        self.seconds = Histogram(
            "milepost_desk_seconds", "Seconds from a request to the end of its answer; live pages are not in it.",
            ("page",), registry=registry,
        )  # fmt: skip
        self.live = Gauge("milepost_desk_live_pages", "Pages that are told what changes.", registry=registry)
        self.steps = Counter("milepost_desk_steps", "Alerts that steps changed.", ("step",), registry=registry)
        self.guesses = Counter(
            "milepost_desk_guesses", "Wrong tokens, and requests held back for them.", ("went",), registry=registry
        )
        self.sign_ins = Counter("milepost_desk_sign_ins", "Tries to sign in.", ("went",), registry=registry)
        self.away = Counter("milepost_desk_source_away", "Times the source could not be asked.", registry=registry)
