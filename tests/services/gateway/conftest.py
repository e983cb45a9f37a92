"""A gateway in this process, asked through its HTTP; and what senders would send it."""

import hashlib
import hmac
import json
from contextlib import contextmanager

import pytest
from starlette.testclient import TestClient

from schemas.clock import WALL
from schemas.spool import SpoolWriter, segment_path, segments
from services.gateway.config import read_config
from services.gateway.life import Life
from services.gateway.publish import Target
from services.load.parcels import parcel
from services.load.shapes import SHAPES
from tests.builders import wire

SECRET = "a secret of the tests"
KEY = "a key of the tests"
SENDERS = """
[sender.easypost]
secrets = ["EASYPOST_SECRET"]

[sender.delhivery]
secrets = ["DELHIVERY_SECRET"]

[events]
keys = ["SHOP_KEY", "SHOP_KEY_OLD"]
"""


@pytest.fixture(autouse=True)
def secrets(monkeypatch):
    """Set what the file names."""
    for name in ("EASYPOST_SECRET", "DELHIVERY_SECRET"):
        monkeypatch.setenv(name, SECRET)
    monkeypatch.setenv("SHOP_KEY", KEY)
    monkeypatch.setenv("SHOP_KEY_OLD", "the key before")


class Running:
    """A running gateway."""

    def __init__(self, life, client, folder):
        """Take its parts."""
        self.life = life
        self.gateway = life.gateway
        self.client = client
        self.folder = folder

    def post(self, path, body, headers=None, **more):
        """Send a body."""
        return self.client.post(path, content=body, headers=headers, **more)

    def send(self, request, name="easypost", **more):
        """Send what a sender would."""
        path = f"/webhooks/{name}" + (f"?{request.query}" if request.query else "")
        return self.post(path, request.body, request.headers | more)

    def tell(self, body, key=KEY, kind="application/json", **more):
        """Send what the shop would."""
        return self.post("/events", body, {"x-api-key": key, "content-type": kind} | more)

    def lines(self):
        """Give what the spool has, segment after segment."""
        return spooled(self.folder)

    def count(self, name, **labels):
        """Give a counter."""
        return self.gateway.metrics.registry.get_sample_value(f"milepost_gateway_{name}", labels) or 0

    def kept(self):
        """Give the bodies in the quarantine."""
        return list(self.gateway.quarantine.kept())


@pytest.fixture
def start(tmp_path):
    """Start gateways in this process."""

    @contextmanager
    def starting(more="", senders=SENDERS, broker=None, name="spool"):
        folder = tmp_path / name
        (tmp_path / "gateway.toml").write_text(senders + more)
        config = read_config(tmp_path / "gateway.toml")
        with SpoolWriter(folder, config.spool.segment) as writer:
            life = Life(config, Target(folder, broker), writer, tmp_path / "quarantine")
            with TestClient(life.app, raise_server_exceptions=False) as client:
                yield Running(life, client, folder)

    return starting


@pytest.fixture
def gateway(start):
    """A gateway with EasyPost, Delhivery and the shop."""
    with start() as running:
        yield running


def spooled(folder):
    """Give the events in a spool."""
    whole = b"".join(segment_path(folder, number).read_bytes() for number in segments(folder))
    return [json.loads(line) for line in whole.splitlines()]


def delivery(number=0, step=0, kind="easypost", secret=SECRET, **options):
    """Give what a sender would send of a parcel."""
    now = WALL.now()
    return SHAPES[kind](parcel(number, "T", now), step, secret, options, now)


def signed(body):
    """Sign a body as EasyPost would."""
    request = delivery()
    digest = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    return request._replace(body=body, headers={"x-hmac-signature": f"hmac-sha256-hex={digest}"})


def event(**said):
    """Give an event of the shop as JSON."""
    return json.dumps(wire(**said)).encode()


def problem(answer):
    """Give the name of the problem that an answer tells, which must be a whole one."""
    assert answer.headers["content-type"] == "application/problem+json"
    said = answer.json()
    assert said["status"] == answer.status_code and said["title"]
    return said["type"].removeprefix("urn:milepost:problem:")
