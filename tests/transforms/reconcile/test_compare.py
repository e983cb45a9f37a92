"""Both sides of one milestone: a table of situations, and any times against the rule said once more, slowly."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.fields import MINUTE
from tests.builders import MONDAY, at
from transforms.reconcile.compare import compare

TOLERANCE = 10 * MINUTE
KNOWS, TELLS = "only the file knows it", "only the live side knows it"
EARLIEST, EARLY = "the earliest counts", "the file puts it before the label"


@pytest.mark.parametrize(
    ("live", "file", "label", "expected"),
    [
        pytest.param([], [], None, [], id="nobody tells anything"),
        pytest.param(["09:00"], ["09:00"], "08:00", [], id="both tell the same"),
        pytest.param(["09:00"], ["09:10"], "08:00", [], id="as far apart as two clocks may be"),
        pytest.param(["09:10"], ["09:00"], "08:00", [], id="as far apart as two clocks may be, the file earlier"),
        pytest.param(
            ["09:00"], [], None, [("missed_batch", "09:00", None, 0, "live", TELLS, [])], id="not in the file"
        ),
        pytest.param(
            ["09:00", "10:00"], [], None, [("missed_batch", "09:00", None, 0, "live", TELLS, [])],
            id="twice live and not in the file",
        ),
        pytest.param(
            [], ["09:00"], "08:00", [("missed_live", None, "09:00", 1, "batch", KNOWS, ["09:00"])],
            id="the webhook was never sent",
        ),
        pytest.param(
            [], ["09:00"], None, [("missed_live", None, "09:00", 1, "batch", KNOWS, ["09:00"])],
            id="no webhook and no label",
        ),
        pytest.param(
            [], ["08:00", "12:00"], "09:00", [("missed_live", None, "12:00", 1, "batch", KNOWS, ["12:00"])],
            id="of two scans one lies before the label",
        ),
        pytest.param(
            [], ["07:50"], "08:00", [("missed_live", None, "07:50", 1, "batch", KNOWS, ["07:50"])],
            id="as early as the label's clock may run",
        ),
        pytest.param(
            [], ["07:49"], "08:00", [("time_conflict", None, "07:49", 1, "", EARLY, [])],
            id="the only scan lies before the label",
        ),
        pytest.param(
            ["09:00"], ["09:04", "15:00"], "08:00",
            [("missed_live", "09:00", "15:00", 1, "batch", KNOWS, ["15:00"])],
            id="the second attempt was not told live",
        ),
        pytest.param(
            ["09:00"], ["12:00", "15:00", "18:00"], "08:00",
            [("missed_live", "09:00", "12:00", 2, "batch", KNOWS, ["12:00", "15:00"]),
             ("time_conflict", "09:00", "12:00", 3, "live", EARLIEST, [])],
            id="of three scans one must be the live event's",
        ),
        pytest.param(
            ["09:00", "10:00"], ["09:00", "15:00"], "08:00", [],
            id="as many live as in the file, the first at one time",
        ),
        pytest.param(
            ["15:00"], ["09:00"], "08:00", [("time_conflict", "15:00", "09:00", 1, "batch", EARLIEST, ["09:00"])],
            id="the file is earlier",
        ),
        pytest.param(
            ["15:00"], ["09:00"], None, [("time_conflict", "15:00", "09:00", 1, "batch", EARLIEST, ["09:00"])],
            id="the file is earlier and no label is known",
        ),
        pytest.param(
            ["09:00"], ["09:10:00.000001"], "08:00",
            [("time_conflict", "09:00", "09:10:00.000001", 1, "live", EARLIEST, [])],
            id="the file is later by a hair too much",
        ),
        pytest.param(
            ["15:00"], ["09:00"], "14:00", [("time_conflict", "15:00", "09:00", 1, "live", EARLY, [])],
            id="the file is earlier than the label",
        ),
        pytest.param(
            ["15:00"], ["09:00", "20:00"], "08:00",
            [("missed_live", "15:00", "09:00", 1, "batch", KNOWS, ["09:00"])],
            id="the earlier of two scans is the missed one, so that it is in no conflict",
        ),
        pytest.param(
            ["15:00"], ["05:00", "09:00"], "08:00",
            [("missed_live", "15:00", "09:00", 1, "batch", KNOWS, ["09:00"]),
             ("time_conflict", "09:00", "05:00", 2, "live", EARLY, [])],
            id="one missed and one before the label",
        ),
    ],
)  # fmt: skip
def test_situations(live, file, label, expected):
    found = compare([at(t) for t in live], [at(t) for t in file], label and at(label), TOLERANCE)
    assert [(*one[:-1], list(one.fed)) for one in found] == [
        (name, a and at(a), b and at(b), scans, counts, why, [at(t) for t in fed])
        for name, a, b, scans, counts, why, fed in expected
    ]


# Minutes around the tolerance, so that every edge of it is met often.
TIMES = st.lists(st.integers(0, 60).map(lambda n: MONDAY + n * 5 * MINUTE), max_size=5, unique=True).map(sorted)
LABELS = st.none() | st.integers(0, 60).map(lambda n: MONDAY + n * 5 * MINUTE)


def said_slowly(told: list[int], filed: list[int], labeled: int | None) -> tuple[set[tuple], set[int]]:
    """Give the findings as (finding, live_ts, batch_ts, scans, counts, why), and the scans that are fed."""
    findings: set[tuple] = set()
    fed: set[int] = set()
    sides = {(s, e): abs(s - e) <= TOLERANCE for s in filed for e in told}
    early = {s for s in filed if labeled is not None and labeled - s > TOLERANCE}
    unmatched = {s for s in filed if s not in early and True not in [sides[s, e] for e in told]}
    more = len(filed) - len(told)
    sizes = [size for size in range(1, len(unmatched) + 1) if size <= more]
    missed = min(combinations(sorted(unmatched), sizes[-1])) if sizes else ()
    if missed:
        findings.add(("missed_live", min(told, default=None), min(missed), len(missed), "batch", KNOWS))
        fed |= {*missed}
    if told and not filed:
        findings.add(("missed_batch", min(told), None, 0, "live", TELLS))
    if filed and not told and early == {*filed}:
        findings.add(("time_conflict", None, min(filed), len(filed), "", EARLY))
    if filed and told:
        a, b = min(filed), min({*told, *missed})
        rows = {
            a > b + TOLERANCE: ("live", EARLIEST),
            a < b - TOLERANCE and a not in early: ("batch", EARLIEST),
            a < b - TOLERANCE and a in early: ("live", EARLY),
        }
        if True in rows:
            findings.add(("time_conflict", b, a, len(filed), *rows[True]))
            fed |= {a} if rows[True][0] == "batch" else set()
    return findings, fed


@given(TIMES, TIMES, LABELS)
def test_any_times_give_what_the_rule_says_slowly(told, filed, labeled):
    found = compare(told, filed, labeled, TOLERANCE)
    findings, fed = said_slowly(told, filed, labeled)
    assert len(found) == len(findings)
    assert {tuple(one[:-1]) for one in found} == findings
    assert {ts for one in found for ts in one.fed} == fed


@given(TIMES, TIMES, LABELS)
def test_nothing_is_fed_any_more_once_it_came_live_after_all(told, filed, labeled):
    fed = {ts for one in compare(told, filed, labeled, TOLERANCE) for ts in one.fed}
    again = compare(sorted({*told, *fed}), filed, labeled, TOLERANCE)
    assert [one for one in again if one.fed or one.finding == "missed_live"] == []


@given(TIMES, LABELS)
def test_sides_that_tell_the_same_differ_in_nothing(times, labeled):
    assert compare(times, times, labeled, TOLERANCE) == []
