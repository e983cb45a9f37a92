"""The rules of the journey as SQL: what their examples say."""

import doctest

from transforms.follow import in_sql


def test_examples():
    result = doctest.testmod(in_sql)
    assert result.failed == 0 < result.attempted
