"""The schedules: which days a night takes, what it answers, and that systemd, cron and Airflow can read their files."""

import ast
import configparser
import datetime
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from pipelines.cli import main

ROOT = Path(__file__).parents[1]
SCHEDULE = ROOT / "scripts/schedule"
NIGHTLY = SCHEDULE / "nightly"
APP = "/srv/milepost/app"
"""Where the examples have the checkout."""
NO_FILES = "milepost: The folder drop has no files of any carrier's from 2025-06-27 to 2025-06-30."
FAKE = """#!/bin/sh
echo "$*" >>calls
[ "$1" = "$FAIL" ] || exit 0
echo "$SAY" >&2
exit "$CODE"
"""


@pytest.fixture
def night(tmp_path):
    """Run `nightly` with a milepost that only notes how it is called; give those calls and how it ended."""
    binary = tmp_path / "bin/milepost"
    binary.parent.mkdir()
    binary.write_text(FAKE)
    binary.chmod(0o755)

    def run(*words, command=(NIGHTLY,), **environment):
        bare = {name: value for name, value in os.environ.items() if not name.startswith("MILEPOST_")}
        given = {"MILEPOST_DROP": "a drop", "MILEPOST_LAKE": "lake", "MILEPOST_TODAY": "2025-07-01", **environment}
        given = {name: value for name, value in given.items() if value is not None}
        path = f"{binary.parent}:{os.environ['PATH']}"
        done = subprocess.run(
            [*command, *words],
            cwd=tmp_path,
            env=bare | {"PATH": path, "FAIL": "", "SAY": "", "CODE": "0"} | given,
            capture_output=True,
            text=True,
            check=False,
        )
        calls = tmp_path / "calls"
        return calls.read_text().splitlines() if calls.exists() else [], done

    return run


def days(call):
    """Give the first and the last day of a call."""
    return tuple(re.findall(r"--(?:from|to) (\S+)", call))


def test_night_takes_the_days_and_then_tends_the_lake(night):
    calls, done = night("--runner=FlinkRunner")
    assert calls == [
        "nightly --drop a drop --lake lake --from 2025-06-27 --to 2025-06-30 --runner=FlinkRunner",
        "maintain --lake lake",
    ]
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("today", "count", "window"),
    [
        ("2024-03-02", "4", ("2024-02-27", "2024-03-01")),
        ("2025-03-02", "4", ("2025-02-26", "2025-03-01")),
        ("2025-01-01", "1", ("2024-12-31", "2024-12-31")),
        ("2025-07-01", "30", ("2025-06-01", "2025-06-30")),
        # Clocks went forward on the 30th: a night of 23 hours where they do.
        ("2025-03-31", "2", ("2025-03-29", "2025-03-30")),
    ],
)
def test_window_of_days(night, today, count, window):
    calls, _ = night(MILEPOST_TODAY=today, MILEPOST_DAYS=count, TZ="Europe/Berlin")
    assert days(calls[0]) == window


def yesterday():
    """Give the day that has ended in UTC."""
    return str((datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)).date())


# At any time one of these zones has another date than UTC.
@pytest.mark.parametrize("zone", ["Etc/GMT-14", "Etc/GMT+11"])
def test_today_is_that_of_utc(night, zone):
    before = yesterday()
    calls, _ = night(MILEPOST_TODAY=None, TZ=zone)
    assert days(calls[0])[1] in {before, yesterday()}


@pytest.mark.parametrize("name", ["MILEPOST_DROP", "MILEPOST_LAKE"])
@pytest.mark.parametrize("value", ["", None])
def test_folders_must_be_named(night, name, value):
    calls, done = night(**{name: value})
    assert (calls, done.returncode) == ([], 2)
    assert name in done.stderr and len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MILEPOST_DAYS", "0"),
        ("MILEPOST_DAYS", "-4"),
        ("MILEPOST_DAYS", "four"),
        ("MILEPOST_TODAY", "2025-02-30"),
        ("MILEPOST_TODAY", "yesterday"),
    ],
)
def test_wrong_numbers_and_dates_are_refused(night, name, value):
    calls, done = night(**{name: value})
    assert (calls, done.returncode) == ([], 2)
    assert f"{name} must be" in done.stderr and len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("allow", [None, "1"])
@pytest.mark.parametrize("code", ["1", "2", "130"])
def test_a_night_that_fails_is_passed_on(night, code, allow):
    calls, done = night(FAIL="nightly", CODE=code, SAY="milepost: Wrong.", MILEPOST_ALLOW_EMPTY=allow)
    assert [call.split()[0] for call in calls] == ["nightly"]
    assert (done.returncode, done.stderr) == (int(code), "milepost: Wrong.\n")


def test_maintenance_that_fails_is_passed_on(night):
    _, done = night(FAIL="maintain", CODE="1", SAY="milepost: Wrong.")
    assert (done.returncode, done.stderr) == (1, "milepost: Wrong.\n")


@pytest.mark.parametrize(("allow", "code"), [(None, 2), ("0", 2), ("1", 0)])
def test_a_night_without_files(night, allow, code):
    calls, done = night(FAIL="nightly", CODE="2", SAY=NO_FILES, MILEPOST_ALLOW_EMPTY=allow)
    assert [call.split()[0] for call in calls] == ["nightly"]
    assert (done.returncode, done.stderr) == (code, f"{NO_FILES}\n")


def test_what_a_night_says_is_kept_apart_where_it_may_be_empty(night, tmp_path):
    (tmp_path / "bin/milepost").write_text("#!/bin/sh\necho $1 rows\necho $1 progress >&2\n")
    _, done = night(MILEPOST_ALLOW_EMPTY="1")
    assert (done.returncode, done.stdout) == (0, "nightly rows\nmaintain rows\n")
    assert done.stderr == "nightly progress\nmaintain progress\n"


def test_the_command_says_it_in_those_words(tmp_path, capsys):
    words = ["nightly", "--drop", str(tmp_path), "--lake", str(tmp_path / "lake"), "--from", "2025-06-27"]
    assert main([*words, "--to", "2025-06-30"]) == 2
    assert " has no files of " in capsys.readouterr().err


def test_script_is_sound():
    assert os.access(NIGHTLY, os.X_OK)
    lines = NIGHTLY.read_text().splitlines()
    assert lines[0] == "#!/usr/bin/env bash" and "set -euo pipefail" in lines
    subprocess.run(["bash", "-n", NIGHTLY], check=True)


def unit(name):
    """Read a unit of systemd."""
    read = configparser.ConfigParser(strict=False, interpolation=None)
    read.optionxform = str
    read.read_string((SCHEDULE / name).read_text())
    return read


def test_service_calls_the_script():
    assert unit("milepost-nightly.service")["Service"]["ExecStart"] == f"{APP}/{NIGHTLY.relative_to(ROOT)}"


def test_examples_set_only_what_the_script_reads():
    read = set(re.findall(r"MILEPOST_\w+", NIGHTLY.read_text()))
    for name in ("milepost.env.example", "crontab.example"):
        named = set(re.findall(r"^#?(MILEPOST_\w+)=", (SCHEDULE / name).read_text(), re.MULTILINE))
        assert {"MILEPOST_DROP", "MILEPOST_LAKE"} <= named <= read


@pytest.fixture
def analyze():
    """Run systemd-analyze, where it is installed."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed: units cannot be verified")

    def run(*words):
        done = subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False)
        return done.returncode, [line for line in done.stderr.splitlines() if "milepost" in line or "Failed" in line]

    return run


def test_systemd_takes_the_units(analyze, tmp_path):
    names = ("milepost-nightly.service", "milepost-nightly.timer")
    for name in names:
        (tmp_path / name).write_text((SCHEDULE / name).read_text().replace(APP, str(ROOT)))
    # What documentation the units name is looked for by a man that need not be there.
    assert analyze("verify", "--man=no", *(str(tmp_path / name) for name in names)) == (0, [])


def test_systemd_takes_the_time(analyze):
    assert analyze("calendar", unit("milepost-nightly.timer")["Timer"]["OnCalendar"]) == (0, [])


def cron_line():
    """Give the one line of the crontab that is neither a comment nor a setting, in its seven fields."""
    text = (SCHEDULE / "crontab.example").read_text()
    assert text.endswith("\n"), "cron passes over a last line that does not end"
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    (line,) = [line for line in lines if not re.match(r"\w+=", line)]
    return line.split(maxsplit=6)


def test_cron_takes_the_line():
    *times, user, command = cron_line()
    limits = (59, 23, 31, 12, 7)
    assert all(field == "*" or int(field) <= limit for field, limit in zip(times, limits, strict=True))
    assert re.fullmatch(r"[a-z_][a-z0-9_-]*", user)
    assert not re.search(r"(?<!\\)%", command), "cron ends the command at a percent sign"
    assert f"app/{NIGHTLY.relative_to(ROOT)}" in shlex.split(command)


@pytest.mark.parametrize(("fail", "mailed"), [("", ""), ("nightly", "milepost: Wrong.\n")])
def test_cron_mails_only_what_failed(night, tmp_path, fail, mailed):
    (tmp_path / "app").symlink_to(ROOT)
    command = cron_line()[-1].replace("/srv/milepost", shlex.quote(str(tmp_path)))
    _, done = night(command, command=("sh", "-c"), FAIL=fail, CODE="1", SAY="milepost: Wrong.")
    assert (done.stdout, done.stderr) == (mailed, "")
    assert (tmp_path / "nightly.log").read_text() == mailed


def dag_calls():
    """Give the DAG file's calls by what they call."""
    module = ast.parse((SCHEDULE / "airflow_dag.py").read_text())
    found = [node for node in ast.walk(module) if isinstance(node, ast.Call)]
    return {ast.unparse(call.func): {word.arg: word.value for word in call.keywords} for call in found}


def test_dag_asks_for_options_that_the_night_knows(tmp_path, capsys):
    operator = dag_calls()["BeamRunPythonPipelineOperator"]
    options = ast.literal_eval(ast.unparse(operator["pipeline_options"]).replace("LAKE", "'lake'"))
    assert options["from"] == "{{ macros.ds_add(ds, -3) }}" and options["to"] == "{{ ds }}"
    assert [ast.unparse(operator[name]) for name in ("py_options", "py_file")] == ["['-m']", "'pipelines.nightly'"]
    # As the operator passes them; what is no option would be said before what is not in the folder.
    given = options | {"drop": tmp_path, "from": "2025-06-27", "to": "2025-06-30", "flink_master": "[auto]"}
    words = [f"--{name}={value}" for name, value in ({"runner": "DirectRunner"} | given).items()]
    assert main(["nightly", *words, "--labels=airflow-version=v3-3-2"]) == 2
    assert " has no files of " in capsys.readouterr().err


def test_dag_runs_one_night_at_a_time():
    assert ast.literal_eval(dag_calls()["DAG"]["max_active_runs"]) == 1


def test_airflow_takes_the_dag(monkeypatch, tmp_path):
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    pytest.importorskip("airflow", reason="Airflow is not installed: the DAG cannot be imported")
    space: dict = {}
    exec(compile((SCHEDULE / "airflow_dag.py").read_text(), "airflow_dag.py", "exec"), space)
    assert [task.task_id for task in space["dag"].topological_sort()] == ["nightly", "maintain"]
