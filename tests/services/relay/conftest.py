"""An outbox of each kind, and what fills it."""

import threading

import pytest

from services.relay.config import read_config
from services.relay.relay import Relay
from tests.builders import event
from tests.servers import ask, cluster, dsn  # noqa: F401
from tests.transforms.tell.telling import statuses
from transforms.tell.stores import migrate, open_store

SECRET = "a secret of the tests"


@pytest.fixture(params=[pytest.param("postgres", marks=pytest.mark.postgres), "sqlite"])
def outbox(request, tmp_path, monkeypatch):
    """Give the address of an empty outbox."""
    monkeypatch.setenv("HOOK_SECRET", SECRET)
    if request.param == "postgres":
        return request.getfixturevalue("dsn")
    address = f"sqlite:///{tmp_path}/outbox.db"
    migrate(address)
    return address


def fill(address, parcels, channels=("webhook",), first=0):
    """Let parcels be shipped."""
    store = open_store(address, channels)
    try:
        shipped = [
            event("carrier_scanned", order=f"o{n}", waybill=f"t{n}", customer="c1")
            for n in range(first, first + parcels)
        ]
        (rows,) = statuses([(True, shipped)])
        assert store.write(rows, []).notes == parcels * len(channels)
    finally:
        store.close()


def states(address, channel="webhook"):
    """Count the rows of a channel by state."""
    return dict(ask(address, "select state, count(*) from outbox where channel = %s group by state", channel))


def webhook(url, **more):
    """Write a channel."""
    said = {"kind": "webhook", "url": url, "secrets": ["HOOK_SECRET"], "timeout": "1 s", "first_wait": "0.05 s",
            "longest_wait": "0.2 s"} | more  # fmt: skip
    return "[channel.webhook]\n" + lines(said)


def lines(said):
    """Write fields as TOML."""
    return "".join(f"{name} = {_toml(value)}\n" for name, value in said.items())


def _toml(value):
    if isinstance(value, dict):
        return "{ " + ", ".join(f'"{name}" = {_toml(one)}' for name, one in value.items()) + " }"
    return str(value) if not isinstance(value, str) else '"' + value + '"'


def configured(folder, text):
    """Write a configuration file; give its path."""
    path = folder / "relay.toml"
    path.write_text('poll = "0.05 s"\nlease = "3 s"\n' + text)
    return path


class Running:
    """A relay in a thread of this process, as a context manager."""

    def __init__(self, config, address):
        """Make it."""
        self.relay = Relay(read_config(config), address)
        self.thread = threading.Thread(target=self.relay.run)

    def __enter__(self):
        """Start."""
        self.thread.start()
        return self.relay

    def __exit__(self, *_):
        """Stop, and wait for the messages under way."""
        self.relay.stop.set()
        self.thread.join()


def drain(config, address):
    """Send until nothing is due; give the relay."""
    relay = Relay(read_config(config), address, drain=True)
    relay.run()
    return relay
