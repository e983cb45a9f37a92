"""Flink for tests: there once `scripts/flink/setup` has run, and where servers are a must, its lack is a failure."""

import os

import pytest

from scripts.flink.options import JOB_SERVER


@pytest.fixture(scope="session")
def flink():
    """Skip without Flink, but fail where MILEPOST_SERVERS=1 says that it must be there."""
    if not JOB_SERVER.exists():
        say = pytest.fail if os.environ.get("MILEPOST_SERVERS") == "1" else pytest.skip
        say("Flink is not set up: run scripts/flink/setup")
