"""A live run that is stopped for an upgrade, and one that has lost its state: both go on, and neither cries wolf."""

import subprocess
import sys
import time

import pytest

from pipelines.query import open_lake
from pipelines.simulate import run
from schemas.spool import SpoolWriter, read_done
from scripts.flink.cluster import Cluster
from tests.live.days import Playing, compressed
from tests.live.running import ROOT, LiveRun
from tests.servers import ask

pytestmark = [pytest.mark.flink, pytest.mark.postgres, pytest.mark.usefixtures("flink")]

START = 25.0
"""Seconds until a job runs on a cluster."""


def stop(cluster) -> str:
    """Stop the one job by the command; give its savepoint."""
    words = ["-m", "pipelines", "live", "stop", f"--flink_master={cluster.address}"]
    done = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[-1]


def until(met, patience=120.0):
    """Wait until something is so."""
    end = time.monotonic() + patience
    while not met():
        assert time.monotonic() < end
        time.sleep(0.5)


def test_a_day_with_an_upgrade_and_a_lost_state_ends_as_one_without(tmp_path, dsn):
    shop, spool = tmp_path / "shop", f"spool://{tmp_path / 'spool'}"
    run(shop, 600, 1, 5)
    (tmp_path / "flink").mkdir()

    def lines():
        return ask(dsn, "select count(*) from order_fulfillment_live")[0][0]

    with Cluster(tmp_path / "flink") as flink, SpoolWriter(tmp_path / "spool") as writer:
        clock = compressed(shop, 190, delay=START)
        first = LiveRun(tmp_path, [spool], dsn, clock, cluster=flink)
        with first:
            Playing(shop, clock, writer.append).start()
            until(lambda: lines() > 50)
            savepoint = stop(flink)
            at = clock.now()
            assert first.process.wait(60) == 0, first.said()
        early = ask(dsn, "select count(*) from sla_alerts where due_ts > to_timestamp(%s)", at / 1e6)
        assert early == [(0,)], "the end of the job was taken for the end of time"

        before = lines()
        with LiveRun(tmp_path, [spool], dsn, clock, "--from-savepoint", savepoint, cluster=flink) as second:
            # Long enough for the source to have let go of lines that are in the lake.
            until(lambda: lines() > before and read_done(tmp_path / "spool") is not None)
            assert "Going on" not in second.said()
            for job, state in flink.jobs().items():
                if state == "RUNNING":
                    assert flink.ask(f"/jobs/{job}/checkpoints")["counts"]["restored"] == 1
                    second.kill()
                    flink.cancel(job)
        until(lambda: "RUNNING" not in flink.jobs().values())
        with open_lake(tmp_path / "lake") as db:
            ((known,),) = db.sql("select count(*) from events").fetchall()
        assert known

        done = read_done(tmp_path / "spool")
        with LiveRun(tmp_path, [spool], dsn, clock, "--fresh", cluster=flink) as third:
            third.until_true(shop)
    assert (done.segment, done.offset) > (1, 0), "the third run began with the first line"
    print(f"stopped with a savepoint, and again with no state at line {done.line:,}: the day ended as one without")
