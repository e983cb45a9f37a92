"""One graph, two engines: what a command leaves in the lake on Flink is what it leaves there on the DirectRunner."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.cli import main
from pipelines.simulate import run
from tests.pipelines.lakes import raw, rows

pytestmark = [pytest.mark.flink, pytest.mark.usefixtures("flink")]

ROOT = Path(__file__).parents[2]
PATIENCE = 180
NIGHTLY_TABLES = (
    "hub_files", "hub_scans", "hub_legs", "reconciliation", "shipments", "events", "milestones", "alerts", "visits",
)  # fmt: skip


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    """A simulated shop, and a lake of its events made by the DirectRunner."""
    folder = tmp_path_factory.mktemp("shop")
    run(folder, 300, 10, 5)
    assert main(["live", *live(folder, folder / "lake")]) == 0
    return folder


def live(shop, lake):
    return ["--input", str(shop / "events.jsonl"), "--lake", str(lake)]


def nightly(shop, lake):
    days = sorted(path.name[:10] for path in (shop / "hub_scans").rglob("*.csv*"))
    return ["--drop", str(shop / "hub_scans"), "--lake", str(lake), "--from", days[0], "--to", days[-1]]


def start(*words):
    """Start a command on Flink, in a group of processes of its own."""
    command = [sys.executable, "-m", "scripts.flink.options", *words]
    return subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def on_flink(*words):
    """Run a command on Flink to its end; give what it says. Nothing that it started is left behind."""
    process = start(*words)
    try:
        said, complaints = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, complaints
        assert gone(process.pid)
    finally:
        end(process)
    return said


def alive(group):
    """Tell whether any process of a group runs."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def gone(group, patience=10):
    """Tell whether a group of processes ends by itself: what was killed is there until somebody takes note of it."""
    until = time.monotonic() + patience
    while alive(group) and time.monotonic() < until:
        time.sleep(0.05)
    return not alive(group)


def end(process):
    """End the process's group, whatever is left of it."""
    if alive(process.pid):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def test_live_leaves_the_same_lake_and_counts_the_same(shop, tmp_path, capsys):
    said = on_flink("live", *live(shop, tmp_path / "there"))
    assert main(["live", *live(shop, tmp_path / "here")]) == 0
    assert said == capsys.readouterr().out
    assert rows(tmp_path / "there") == rows(shop / "lake")
    without = "rejection_id, received_ts"
    assert raw(tmp_path / "there", "rejections", without) == raw(shop / "lake", "rejections", without)


def test_a_lake_taken_in_by_one_engine_knows_everything_for_the_other(shop, tmp_path):
    shutil.copytree(shop / "lake", tmp_path / "lake")
    on_flink("live", *live(shop, tmp_path / "lake"))
    assert rows(tmp_path / "lake") == rows(shop / "lake")


def test_nightly_leaves_the_same_lake_and_counts_the_same(shop, tmp_path, capsys):
    for name in ("here", "there"):
        shutil.copytree(shop / "lake", tmp_path / name)
    said = on_flink("nightly", *nightly(shop, tmp_path / "there"))
    assert main(["nightly", *nightly(shop, tmp_path / "here")]) == 0
    assert said == capsys.readouterr().out
    for table in NIGHTLY_TABLES:
        assert raw(tmp_path / "there", table) == raw(tmp_path / "here", table), table


def test_wrong_usage_is_said_before_flink_starts(shop, tmp_path):
    process = start("live", "--input", str(shop / "nothing.jsonl"), "--lake", str(tmp_path / "lake"))
    try:
        said, complaints = process.communicate(timeout=PATIENCE)
    finally:
        end(process)
    assert (said, process.returncode) == ("", 2)
    assert complaints.startswith("milepost: There is nothing to read at ")


def test_a_command_that_is_terminated_takes_its_flink_with_it(shop, tmp_path):
    process = start("live", *live(shop, tmp_path / "lake"))
    try:
        # By then the job server runs, or is about to.
        assert process.stderr.readline().startswith("Following parcels")
        time.sleep(3)
        process.terminate()
        process.communicate(timeout=60)
        assert gone(process.pid)
    finally:
        end(process)
