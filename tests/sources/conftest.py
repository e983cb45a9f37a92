"""Servers for the tests of sources: there once they are set up, and where servers are a must, their lack is a failure."""

import os

import pytest

from scripts.flink.options import JOB_SERVER
from scripts.kafka.broker import STAMP, Broker
from scripts.pubsub.emulator import Emulator, missing
from tests.sources.driving import OPEN


@pytest.fixture(autouse=True)
def _close_readers():
    yield
    while OPEN:
        OPEN.pop().close()


def lack(why):
    """Skip for want of something, but fail where MILEPOST_SERVERS=1 says that it must be there."""
    (pytest.fail if os.environ.get("MILEPOST_SERVERS") == "1" else pytest.skip)(why)


@pytest.fixture(scope="session")
def flink():
    """Flink, embedded."""
    if not JOB_SERVER.exists():
        lack("Flink is not set up: run scripts/flink/setup")


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    """A Kafka broker."""
    if not STAMP.exists():
        lack("Kafka is not set up: run scripts/kafka/setup")
    with Broker(tmp_path_factory.mktemp("kafka")) as running:
        yield running


@pytest.fixture(scope="module")
def emulator(tmp_path_factory):
    """A Pub/Sub emulator, named in the environment."""
    if missing():
        lack(missing())
    with Emulator(tmp_path_factory.mktemp("pubsub")) as running, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PUBSUB_EMULATOR_HOST", running.address)
        yield running
