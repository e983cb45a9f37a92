"""A desk of each kind in this process, asked through its HTTP; and what fills it."""

import re
from contextlib import contextmanager

import pytest
from starlette.testclient import TestClient

from schemas.alerts import cleared, raised, retracted
from schemas.fields import HOUR, MINUTE
from services.desk.app import Site
from services.desk.config import read_config
from services.desk.database import Database
from services.desk.people import People
from services.tokens import Tokens
from tests.builders import MONDAY, event
from tests.servers import cluster, dsn  # noqa: F401
from tests.services.desk.running import chromium  # noqa: F401
from tests.transforms.tell.telling import statuses
from transforms.tell.stores import migrate, open_store

SECRET = "a secret of the tests, long enough for all"
TRACK = '[track]\nsecrets = ["TRACK_SECRET"]\nurl = "https://shop.example"\n'

both = pytest.mark.parametrize(
    "database", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True
)


@pytest.fixture(autouse=True)
def secrets(monkeypatch):
    """Set what files name."""
    monkeypatch.setenv("TRACK_SECRET", SECRET)
    monkeypatch.setenv("DESK_SECRET", SECRET[::-1])


@pytest.fixture
def database(request, tmp_path):
    """Give the address of a database with empty tables; SQLite where nothing else is asked for."""
    if getattr(request, "param", "sqlite") == "postgres":
        return request.getfixturevalue("dsn")
    address = f"sqlite:///{tmp_path}/outbox.db"
    migrate(address)
    return address


@pytest.fixture
def source(database):
    """Give the source of a database."""
    held = Database(database)
    yield held
    held.close()


def tell(address, events=(), alerts=()):
    """Let a database be told of events and alerts."""
    store = open_store(address, ("webhook",))
    try:
        (rows,) = statuses([(True, list(events))]) if events else ([],)
        store.write(rows, list(alerts))
    finally:
        store.close()


def fill(address, count=3, kind="exception", **said):
    """Let parcels have an open alert each, a minute apart; give the alerts, the oldest first."""
    said = {"carrier": "A", "warehouse": "W", "customer": "the customer"} | said
    events = [event("carrier_scanned", MONDAY, order=f"o{n}", waybill=f"t{n}", **said) for n in range(count)]
    alerts = [raised(f"o{n}", f"t{n}", kind, MONDAY + n * MINUTE, "evidence") for n in range(count)]
    tell(address, events, alerts)
    return alerts


def clear(address, alert):
    """Let what an alert waits for come."""
    tell(address, alerts=[alert, cleared(alert, alert.due_ts + HOUR, "delivered")])


def retract(address, alert):
    """Let an alert turn out to be untrue."""
    tell(address, alerts=[alert, retracted(alert, alert.due_ts + HOUR)])


def token(order, number):
    """Give the token of a parcel."""
    return Tokens([SECRET]).make(order, number)


class Browser:
    """Somebody at a desk, without JavaScript."""

    def __init__(self, client, site):
        """Take a client, and the desk itself."""
        self.client = client
        self.site = site
        self.form = ""

    def get(self, path, **more):
        """Read a page; its form token is kept."""
        answer = self.client.get(path, **more)
        found = re.search(r'name="form" value="([0-9a-f]+)"', answer.text)
        self.form = found[1] if found else self.form
        return answer

    def post(self, path, fields=None, **more):
        """Send a form."""
        return self.client.post(path, data={"form": self.form} | (fields or {}), **more)

    def sign_in(self, name="Anna", password=""):
        """Sign in."""
        self.get("/sign-in")
        return self.post("/sign-in", {"name": name, "password": password})

    def act(self, step, *alerts, **more):
        """Do something about alerts."""
        self.get("/")
        return self.post("/act", {"step": step, "alert": [alert.alert_id for alert in alerts]} | more)

    def count(self, name, **labels):
        """Give a counter."""
        return self.site.metrics.registry.get_sample_value(f"milepost_desk_{name}_total", labels) or 0


@pytest.fixture
def desk(tmp_path):
    """Open desks in this process."""

    @contextmanager
    def opening(source, text=TRACK, client=("127.0.0.1", 1), local=True, base="http://localhost"):
        path = tmp_path / "desk.toml"
        path.write_text(text)
        config = read_config(path)
        site = Site(source, config, People(config, SECRET, secure=False), local=local)
        with TestClient(site.app, base_url=base, client=client, raise_server_exceptions=False) as asked:
            yield Browser(asked, site)

    return opening


@pytest.fixture
def anna(desk, source):
    """Somebody who has signed in at a desk."""
    with desk(source) as browser:
        browser.sign_in()
        yield browser
