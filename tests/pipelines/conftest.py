"""A lake for a test."""

import pytest

from transforms.publish.lake import Lake


@pytest.fixture
def lake(tmp_path):
    """Give a lake with nothing in it."""
    return Lake(tmp_path / "lake").check(create=True)
