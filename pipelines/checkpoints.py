"""Checkpoints of a live run: where its state lies, and with which of them a run that begins goes on.

Flink writes FOLDER/<job>/chk-<number>/ for each, and there last, and at once, a file `_metadata`: one without it is
none. What a job that ended well has left is deleted by Flink itself.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from pipelines.errors import UsageError

RUN = "run.json"
"""File beside the checkpoints that tells whose they are."""

ANEW = "begin anew, with what the lake knows, by --fresh"


class Run(Struct, frozen=True):
    """What a run's state depends on: state of one run means nothing to another one."""

    inputs: tuple[str, ...]
    told: bool
    """Whether a database tells how parcels stand."""


class Checkpoints:
    """A folder of checkpoints that belongs to one lake's live run."""

    def __init__(self, folder: Path) -> None:
        """Take the folder; it is made when a run begins."""
        self.folder = folder.resolve()

    @property
    def uri(self) -> str:
        """Give the folder as Flink wants it."""
        return self.folder.as_uri()

    def newest(self) -> Path | None:
        """Give the newest checkpoint that is whole; None where there is none."""
        whole = [path.parent for path in self.folder.glob("*/chk-*/_metadata")]
        return max(whole, key=_age, default=None)

    def begin(self, run: Run, *, fresh: bool = False) -> Path | None:
        """Begin a run; give the checkpoint that it goes on with, None where it begins anew.

        Older ones are deleted. With `fresh` all are.

        Raises:
            UsageError: the checkpoints are of another run, or the folder cannot be used.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            found = None if fresh else self.newest()
            if found is not None:
                self._match(run)
            for job in self.folder.iterdir():
                if job.is_dir() and (found is None or job != found.parent):
                    shutil.rmtree(job, ignore_errors=True)
            draft = self.folder / f"{RUN}.new"
            draft.write_bytes(msgspec.json.encode(run))
            draft.replace(self.folder / RUN)
        except OSError as fault:
            raise UsageError(f"The checkpoints in {self.folder} cannot be used: {fault.strerror or fault}.") from fault
        return found

    def _match(self, run: Run) -> None:
        try:
            before = msgspec.json.decode((self.folder / RUN).read_bytes(), type=Run)
        except (FileNotFoundError, msgspec.DecodeError) as fault:
            raise UsageError(f"Nobody knows of which run the checkpoints in {self.folder} are; {ANEW}.") from fault
        if before.inputs != run.inputs:
            raise UsageError(
                f"The checkpoints in {self.folder} are of another input ({_listed(before.inputs)}); {ANEW}."
            )
        if before.told != run.told:
            had = "a database" if before.told else "no database"
            raise UsageError(f"The checkpoints in {self.folder} are of a run with {had} to tell; {ANEW}.")


def _age(checkpoint: Path) -> tuple[int, int]:
    number = checkpoint.name.removeprefix("chk-")
    return (checkpoint / "_metadata").stat().st_mtime_ns, int(number) if number.isdecimal() else 0


def _listed(inputs: Sequence[str]) -> str:
    return ", ".join(inputs)
