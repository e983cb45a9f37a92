"""What tests of nights share: a shop's days as they go by, commands that can be killed, and all that a lake says."""

import contextlib
import multiprocessing
import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from deltalake import DeltaTable

from pipelines.cli import main
from pipelines.query import open_lake
from schemas.tables import NIGHTLY, TABLES
from tests.pipelines.lakes import differences
from tests.pipelines.test_truth import NIGHTLY as TRUE

NIGHT_ROWS = {
    "hub_files": "select * exclude (left_ts) from hub_files",
    **{table.name: f"from {table.name}" for table in NIGHTLY if table.name != "hub_files"},
}
"""What a night replaces. When a file was left differs where the files are copies."""

LIVE_ROWS = {
    "events": "from events",
    "milestones": "from milestones",
    "current_alerts": "select * exclude (alert_id, evidence) from current_alerts",
    "visits": "select * exclude (visit_id) from visits",
}
"""What a night adds to."""

_CONTEXT = multiprocessing.get_context("forkserver")
# Imports are dear: a command that is started again and again starts with them done.
_CONTEXT.set_forkserver_preload(["pipelines.live", "pipelines.nightly"])
_DAY = re.compile(rb'"event_ts":"2025-06-(\d\d)')


def live(source: Path, lake: Path, *more: str) -> None:
    """Take events in."""
    assert main(["live", "--input", str(source), "--lake", str(lake), *more]) == 0


def night(drop: Path, lake: Path, first: int = 1, last: int | None = None, *more: str) -> None:
    """Take the files of some days of June in; without a last day, of the first alone."""
    assert main(nightly_words(drop, lake, first, last, *more)) == 0


def nightly_words(drop: Path, lake: Path, first: int = 1, last: int | None = None, *more: str) -> list[str]:
    """Give the words of the command that takes the files of some days of June in."""
    dates = ["--date", date(first)] if last is None else ["--from", date(first), "--to", date(last)]
    return ["nightly", "--drop", str(drop), "--lake", str(lake), *dates, *more]


def date(day: int) -> str:
    """Give a day of June, when every simulation begins."""
    return f"2025-06-{day:02d}"


def said(lake: Path, queries: dict[str, str] | None = None) -> dict[str, list[tuple]]:
    """Give all that a lake says, or what is asked for: rows in an order of their own."""
    asked = {**NIGHT_ROWS, **LIVE_ROWS} if queries is None else queries
    with open_lake(lake) as db:
        return {name: sorted(db.sql(query).fetchall(), key=repr) for name, query in asked.items()}


def assert_same(one: dict[str, list[tuple]], other: dict[str, list[tuple]]) -> None:
    """Hold what one lake says against what another says, table by table, so that a failure shows few rows."""
    for name in one:
        assert sorted(map(repr, set_of(one[name]) ^ set_of(other[name])))[:6] == [], name
        assert len(one[name]) == len(other[name]), name


def set_of(rows: Iterable[tuple]) -> set[str]:
    """Give rows as a set, whatever is in them."""
    return {repr(row) for row in rows}


def assert_true(lake: Path, shop: Path) -> None:
    """Hold a lake against the truth of the shop."""
    for name, view in TRUE.items():
        count, lacking, extra = differences(lake, shop, name, view)
        assert count > 0
        assert (lacking, extra) == ([], []), name


def versions(lake: Path) -> dict[str, int]:
    """Give the newest version of every table, seen by readers or not."""
    made = [table.name for table in TABLES.values() if DeltaTable.is_deltatable(str(lake / table.name))]
    return {name: DeltaTable(str(lake / name)).version() for name in made}


def lines_until(shop: Path, day: int) -> list[bytes]:
    """Give the lines that had come when the first event after a day of June came."""
    lines = (shop / "events.jsonl").read_bytes().splitlines(keepends=True)
    found = (int(match[1]) if (match := _DAY.search(line)) else 0 for line in lines)
    return lines[: next((place for place, of in enumerate(found) if of > day), len(lines))]


def put(files: Iterable[Path], drop: Path) -> None:
    """Let files appear in a drop folder."""
    for file in files:
        (drop / file.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, drop / file.parent.name / file.name)


def files_of(shop: Path, day: int, *, corrected: bool) -> list[Path]:
    """Give the first files of a day of June, or those that correct them."""
    ends = r"\.v\d+\.csv" if corrected else r"\.csv"
    return [path for path in sorted((shop / "hub_scans").glob("*/*")) if re.match(date(day) + ends, path.name)]


def flawed(shop: Path, drop: Path) -> None:
    """Copy a shop's files, those of parcelway with scans missing and with troubles that never were."""
    shutil.copytree(shop / "hub_scans", drop)
    for file in sorted((drop / "parcelway").iterdir()):
        header, *lines = file.read_text().splitlines()
        kept = [line for number, line in enumerate(lines) if number % 3]
        made_up = [re.sub(r"Z,\w+,", "Z,exception,", line) for line in kept[::5]]
        file.write_text("\n".join([header, *kept, *made_up, ""]))


class Command:
    """Commands one after another, in a process of their own that can be killed with all that it started."""

    def __init__(self, log: Path, *commands: list[str], until: Path | None = None, pause: float = 0) -> None:
        """Start them; with `until`, again and again until there is such a file, with a pause in seconds after each."""
        self.log = log
        self.process = _CONTEXT.Process(target=_run, args=(str(log), commands, until, pause))
        self.process.start()
        wait_for(lambda: not self.running() or self._leads())

    def running(self) -> bool:
        """Tell whether it has not ended yet."""
        return self.process.is_alive()

    def kill(self) -> None:
        """Kill it, and all that it started, this instant."""
        # Its group is its own by now: nothing else is in it.
        with contextlib.suppress(ProcessLookupError):
            if self._leads():
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.join()

    def ended(self) -> int | None:
        """Wait for its end, and give its exit code."""
        self.process.join(120)
        if self.running():
            self.kill()
        return self.process.exitcode

    def _leads(self) -> bool:
        try:
            return os.getpgid(self.process.pid) == self.process.pid
        except ProcessLookupError:
            return False


def _run(log: str, commands: list[list[str]], until: Path | None, pause: float) -> None:
    os.setsid()
    told = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    os.dup2(told, 1)
    os.dup2(told, 2)
    while True:
        for words in commands:
            code = main(words)
            if code:
                sys.exit(code)
            time.sleep(pause)
        if until is None or until.exists():
            sys.exit(0)


def wait_for(true: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until something is true.

    Raises:
        TimeoutError: it did not become true.
    """
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.0005)


def staging(lake: Path) -> set[str]:
    """Give the names of the folders in which runs lay things aside; a killed one leaves its own."""
    try:
        return set(os.listdir(lake / "_staging"))
    except FileNotFoundError:
        return set()
