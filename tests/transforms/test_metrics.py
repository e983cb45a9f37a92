"""What a process says of itself over HTTP: served once, beside a port that is taken."""

import socket
import urllib.request

import pytest

from scripts.servers import HOST
from transforms import metrics


def test_metrics_are_served_once_and_beside_a_port_that_is_taken():
    with socket.create_server((HOST, 0)) as taken:
        wanted = taken.getsockname()[1]
        port = metrics.serve(HOST, wanted)
        assert port is not None and wanted < port < wanted + metrics.TRIES
        assert metrics.serve(HOST, wanted) is None
    with urllib.request.urlopen(f"http://{HOST}:{port}/metrics", timeout=10) as answer:
        assert b"milepost_lines_read_total" in answer.read()


def test_where_no_port_is_free_it_is_said_once(monkeypatch):
    monkeypatch.setattr(metrics, "TRIES", 1)
    with socket.create_server((HOST, 0)) as taken:
        wanted = taken.getsockname()[1]
        with pytest.raises(OSError, match="in use"):
            metrics.serve(HOST, wanted)
        assert metrics.serve(HOST, wanted) is None
