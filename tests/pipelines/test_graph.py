"""The graphs as they stand: labels, types and shuffles. A change here is a change to every job in flight."""

import logging
from pathlib import Path

import pytest

from scripts.show_graph import picture

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.mark.parametrize("name", ["live", "nightly"])
def test_the_graph_is_the_golden_one(name: str):
    assert picture(name) == (GOLDEN / f"{name}.graph").read_text(), (
        f"accept the change with: python -m scripts.show_graph {name} > tests/golden/{name}.graph"
    )


@pytest.mark.parametrize("name", ["live", "nightly"])
def test_beam_has_nothing_to_say_about_coders_or_types(name: str, caplog: pytest.LogCaptureFixture):
    with caplog.at_level(logging.WARNING):
        picture(name)
    assert [record.getMessage() for record in caplog.records] == []


def test_no_step_of_ours_is_a_lambda_and_only_beams_own_are_untyped():
    ours = [line for line in picture("live").splitlines() if "/Impulse" not in line and "core.py" not in line]
    assert not [line for line in ours if "lambda" in line]
    untyped = [line for line in ours if "Any" in line]
    # Inside CombinePerKey: Beam types the accumulator by its coder, not by a hint.
    assert all("CombineValuesDoFn" in line or "NewestEvent" in line for line in untyped)
