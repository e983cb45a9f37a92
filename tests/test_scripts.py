"""The scripts as files, the lock against the project's needs, and nothing of one machine in what is published."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
FLINK = ("flink/setup", "flink/run", "flink/cluster")
SCRIPTS = [
    ROOT / ".ci/run",
    *(
        ROOT / "scripts" / name
        for name in ("check", "demo", "setup", "test", "bench", "epcis/setup", "delta/setup", *FLINK)
    ),
]
PIN = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)


def tracked():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("this is no git checkout: what is published cannot be told from what is not")
    names = listed.stdout.decode().split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_script_is_sound(script):
    assert os.access(script, os.X_OK)
    lines = script.read_text().splitlines()
    assert lines[0] == "#!/usr/bin/env bash"
    assert lines[1].startswith("# ")
    assert "set -euo pipefail" in lines
    subprocess.run(["bash", "-n", script], check=True)


@pytest.fixture
def checkout(tmp_path):
    """A checkout whose Python only notes how it is called."""
    folder = tmp_path / "checkout"
    for name in ("requirements.lock", "pyproject.toml", "scripts/setup"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes((ROOT / name).read_bytes())
    python = folder / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "$*" >>"$(dirname "$0")/called"\n')
    python.chmod(0o755)
    return folder


def set_up(checkout, **environment):
    """Run setup; give how it called Python, and what it said."""
    done = subprocess.run(
        ["bash", "scripts/setup"],
        cwd=checkout,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    called = checkout / ".venv/bin/called"
    calls = called.read_text().splitlines() if called.exists() else []
    called.unlink(missing_ok=True)
    return calls, done


def test_setup_installs_what_is_locked(checkout):
    calls, done = set_up(checkout)
    assert done.returncode == 0
    assert ["--require-hashes" in call for call in calls if " install " in call] == [True, False]


def test_setup_has_nothing_to_do_the_second_time(checkout):
    set_up(checkout)
    calls, done = set_up(checkout)
    assert (calls, done.stderr, done.returncode) == ([], "", 0)


@pytest.mark.parametrize("name", ["requirements.lock", "pyproject.toml"])
def test_setup_starts_again_after_a_change(checkout, name):
    set_up(checkout)
    with (checkout / name).open("a") as file:
        file.write("# changed\n")
    calls, _ = set_up(checkout)
    assert calls


def test_setup_starts_again_where_the_folder_has_moved(checkout):
    set_up(checkout)
    calls, _ = set_up(checkout.rename(checkout.with_name("moved")))
    assert calls


def test_setup_says_which_python_it_needs(checkout):
    (checkout / ".venv/bin/python").unlink()
    _, done = set_up(checkout, PYTHON="no-such-python")
    assert done.returncode == 1
    assert "Python 3.11 or later is needed" in done.stderr and len(done.stderr.splitlines()) == 1


def test_lock_holds_what_the_project_asks_for():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pinned = dict(PIN.findall((ROOT / "requirements.lock").read_text()))
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    wanted = [Requirement(text) for group in groups for text in group]
    assert [str(need) for need in wanted if not need.specifier.contains(pinned.get(need.name, ""))] == []


def test_lock_has_hashes_for_every_pin():
    entries = re.split(r"\n(?=[a-z0-9-]+==)", (ROOT / "requirements.lock").read_text())[1:]
    assert len(entries) > 30
    assert [entry.split(" ")[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_nothing_of_one_machine_is_published():
    # Written in two halves, for this file is published too.
    machine = re.compile(rb"/(?:ro" rb"ot|home/[a-z]|Us" rb"ers|wo" rb"rk|o" rb"pt)/|/tmp/[a-z]")
    registry = re.compile(rb"--(?:extra-)?index-" rb"url|--find-" rb"links|pythonhosted\." rb"org|pypi\." rb"org")
    spots = [
        f"{path.relative_to(ROOT)}:{number}: {line.decode(errors='replace').strip()}"
        for path in tracked()
        for number, line in enumerate(path.read_bytes().splitlines(), start=1)
        if machine.search(line) or registry.search(line)
    ]
    assert spots == []
