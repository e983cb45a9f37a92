"""Commands that ask only load what asking needs: Beam alone takes a second to load."""

import subprocess
import sys

import pytest

HEAVY = ("apache_beam", "confluent_kafka", "google.cloud", "grpc", "psycopg")
ASKED = """
import sys
from pipelines.cli import main
try:
    main([sys.argv[1], "--help"])
except SystemExit:
    pass
print("loaded:", *sys.modules)
"""


def loaded(command):
    """Give the modules that a command's help loads, in a process of its own."""
    done = subprocess.run([sys.executable, "-c", ASKED, command], capture_output=True, text=True, check=True)
    _, _, names = done.stdout.rpartition("loaded: ")
    return set(names.split())


@pytest.mark.parametrize("command", ["report", "sql", "explain", "maintain", "carriers", "simulate"])
def test_a_command_without_a_graph_loads_no_engine_no_broker_and_no_database(command):
    modules = loaded(command)
    assert "pipelines.cli" in modules
    assert not modules.intersection(HEAVY)


def test_a_command_with_a_graph_loads_the_engine():
    assert "apache_beam" in loaded("nightly")
