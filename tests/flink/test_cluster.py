"""A command on a real cluster, with workers in processes of their own; and the cluster's end is the end of them all."""

import socket

import pytest

from pipelines.cli import main
from pipelines.simulate import run
from scripts.flink.cluster import Cluster, free_ports
from tests.flink.test_batch import alive, gone, live, on_flink
from tests.pipelines.lakes import rows

pytestmark = [pytest.mark.flink, pytest.mark.usefixtures("flink")]


def test_live_on_a_cluster_leaves_the_same_lake_and_no_process(tmp_path):
    run(tmp_path / "shop", 200, 5, 5)
    (tmp_path / "cluster").mkdir()
    with Cluster(tmp_path / "cluster") as cluster:
        groups = [process.pid for process in cluster.processes.values()]
        assert all(map(alive, groups))
        on_flink("live", *live(tmp_path / "shop", tmp_path / "there"), *cluster.options())
        assert list(cluster.jobs().values()) == ["FINISHED"]
    assert all(map(gone, groups))
    assert main(["live", *live(tmp_path / "shop", tmp_path / "here")]) == 0
    assert rows(tmp_path / "there") == rows(tmp_path / "here")


def test_a_killed_task_manager_is_replaced(tmp_path):
    with Cluster(tmp_path) as cluster:
        cluster.stop("taskmanager", how=9)
        cluster.start("taskmanager")
        cluster.wait()
        assert cluster.ask("/overview")["slots-total"] >= cluster.slots


def test_a_cluster_that_cannot_start_says_why(tmp_path):
    cluster = Cluster(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", int(cluster.address.split(":")[1])))
        with (
            pytest.raises(RuntimeError, match=r"Flink's jobmanager did not start: Caused by: .*BindException"),
            cluster,
        ):
            pass
    assert cluster.processes == {}


def test_free_ports_differ():
    assert len(set(free_ports(20))) == 20
