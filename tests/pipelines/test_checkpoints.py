"""With which state a live run begins, and that it is its own."""

import os

import pytest

from pipelines.checkpoints import Checkpoints, Run
from pipelines.errors import UsageError

RUN = Run(("spool://here",), told=True)


@pytest.fixture
def state(tmp_path):
    return Checkpoints(tmp_path / "state")


def take(state, job, number, age, *, whole=True):
    """Leave a checkpoint, some seconds old."""
    folder = state.folder / job / f"chk-{number}"
    folder.mkdir(parents=True)
    (folder / "part").touch()
    if whole:
        (folder / "_metadata").touch()
        os.utime(folder / "_metadata", (1e9 - age, 1e9 - age))
    return folder


def test_a_first_run_begins_with_nothing(state):
    assert state.begin(RUN) is None


def test_a_killed_run_is_gone_on_with_at_its_newest_whole_checkpoint(state):
    state.begin(RUN)
    take(state, "a", 9, age=30)
    newest = take(state, "b", 2, age=10)
    take(state, "b", 3, age=5, whole=False)
    assert state.begin(RUN) == newest
    assert not (state.folder / "a").exists(), "what is older goes"
    assert state.begin(RUN) == newest, "as often as it is killed before its first checkpoint"


def test_of_two_at_one_moment_the_higher_number_counts(state):
    state.begin(RUN)
    take(state, "a", 9, age=10)
    higher = take(state, "a", 10, age=10)
    assert state.newest() == higher


def test_fresh_forgets(state):
    state.begin(RUN)
    take(state, "a", 1, age=1)
    assert state.begin(RUN, fresh=True) is None
    assert state.begin(RUN) is None


@pytest.mark.parametrize(
    ("run", "said"),
    [
        (Run(("spool://there",), told=True), r"another input \(spool://here\)"),
        (Run(("spool://here", "spool://there"), told=True), "another input"),
        (Run(("spool://here",), told=False), "a run with a database to tell"),
    ],
)
def test_the_state_of_another_run_is_refused(state, run, said):
    state.begin(RUN)
    kept = take(state, "a", 1, age=1)
    with pytest.raises(UsageError, match=f"{said}.*--fresh"):
        state.begin(run)
    assert kept.exists()
    assert state.begin(run, fresh=True) is None
    take(state, "b", 1, age=1)
    assert state.begin(run) is not None


def test_checkpoints_of_nobody_are_refused(state):
    take(state, "a", 1, age=1)
    with pytest.raises(UsageError, match="Nobody knows"):
        state.begin(RUN)


def test_a_folder_that_cannot_be_used_is_one_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be used"):
        Checkpoints(tmp_path / "file").begin(RUN)
