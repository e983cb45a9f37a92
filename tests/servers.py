"""Servers that tests start: where servers are a must, their lack is a failure, elsewhere a reason to skip."""

import os

import psycopg
import pytest

from scripts.postgres.cluster import Postgres, lacking
from transforms.tell.stores import migrate

TABLES = ("order_fulfillment_live", "sla_alerts", "outbox", "alert_handling", "alert_steps")


@pytest.fixture(scope="session")
def cluster():
    """Run one Postgres for the tests of this process; nothing here loses power, so fsync is off."""
    missing = lacking()
    if missing:
        say = pytest.fail if os.environ.get("MILEPOST_SERVERS") == "1" else pytest.skip
        say(missing)
    with Postgres(fsync=False) as running:
        migrate(running.dsn)
        yield running


@pytest.fixture
def dsn(cluster):
    """Give the address of a database with empty tables."""
    empty(cluster.dsn)
    return cluster.dsn


def empty(dsn):
    """Empty all tables."""
    with psycopg.connect(dsn) as connection:
        connection.execute(f"truncate {', '.join(TABLES)}")


def ask(dsn, sql, *given):
    """Give the rows of a query, on Postgres or SQLite."""
    if dsn.startswith("sqlite:///"):
        import sqlite3

        connection = sqlite3.connect(dsn.removeprefix("sqlite:///"), timeout=60)
        try:
            with connection:
                return connection.execute(sql.replace("%s", "?"), given).fetchall()
        finally:
            connection.close()
    with psycopg.connect(dsn) as connection:
        done = connection.execute(sql, given)
        return done.fetchall() if done.description else []
