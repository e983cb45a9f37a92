"""Servers for whole live runs."""

from tests.flink.conftest import flink  # noqa: F401
from tests.servers import cluster, dsn  # noqa: F401
from tests.sources.conftest import broker, emulator  # noqa: F401
