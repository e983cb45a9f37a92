"""A simulation is written whole into a folder of its own, in the place of an earlier one or of nothing."""

import pytest

from pipelines.simulate import run
from tests.pipelines.test_simulate import SMALL, contents


def test_progress_ends_at_the_number_of_orders(tmp_path):
    run(tmp_path / "a", **SMALL | {"orders": 1100}, progress=(told := []).append)
    assert told == [500, 1000, 1100]


def test_an_earlier_simulation_may_be_replaced_and_an_empty_folder_used(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    run(out, **SMALL)
    before = contents(out)
    run(out, **SMALL | {"seed": 9})
    assert contents(out) != before
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]
    (out / "lake").mkdir()
    with pytest.raises(ValueError, match="holds lake beside an earlier simulation"):
        run(out, **SMALL)


def test_anything_else_is_left_alone(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "manifest.json").write_text('{"name": "a web app"}')
    before = contents(tmp_path)
    with pytest.raises(ValueError, match="holds no earlier simulation"):
        run(tmp_path, **SMALL)
    with pytest.raises(ValueError, match="is a file"):
        run(tmp_path / "notes.txt", **SMALL)
    assert contents(tmp_path) == before


def test_a_failure_leaves_nothing_behind(tmp_path):
    def stop(done):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "out", **SMALL, progress=stop)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("orders", "days"), [(0, 1), (1, 0)])
def test_nothing_to_simulate_is_refused_and_very_little_is_not(tmp_path, orders, days):
    with pytest.raises(ValueError, match="at least one order and one day"):
        run(tmp_path / "out", orders, days, 7)
    assert run(tmp_path / "out", 1, 1, 7)["orders"] == 1
    assert run(tmp_path / "out", 2, 1, 7)["orders"] == 2
