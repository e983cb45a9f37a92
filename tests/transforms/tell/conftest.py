"""A store of each kind with empty tables."""

import pytest

from tests.servers import cluster, dsn  # noqa: F401
from transforms.tell.stores import migrate, open_store


@pytest.fixture(params=[pytest.param("postgres", marks=pytest.mark.postgres), "sqlite"])
def address(request, tmp_path):
    """Give the address of an empty store."""
    if request.param == "postgres":
        return request.getfixturevalue("dsn")
    where = f"sqlite:///{tmp_path}/outbox.db"
    migrate(where)
    return where


@pytest.fixture
def store(address):
    """Open it."""
    opened = open_store(address, ["webhook"])
    yield opened
    opened.close()
