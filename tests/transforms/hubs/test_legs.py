"""Hub legs: tables of situations, and any sightings against a loop that reads them one by one."""

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.fields import MINUTE
from tests.builders import MONDAY, at
from transforms.hubs.legs import GONE, IN, ON_THE_WAY, OUT, legs_of

KINDS = {"in": IN, "way": ON_THE_WAY, "out": OUT, "gone": GONE}
Sighting = tuple[str, str, int, int]
"""Waybill, hub, time, kind."""


def seen(kind: str, when: str | int, hub: str = "AMD", waybill: str = "t1") -> Sighting:
    return waybill, "" if kind == "gone" else hub, at(when) if isinstance(when, str) else when, KINDS[kind]


def legs(sightings: list[Sighting]) -> list[tuple]:
    """Give the legs as (waybill, hub, in, out, in inferred, out inferred, scans)."""
    waybill, hub, ts, kind = zip(*sightings, strict=True) if sightings else ((), (), (), ())
    given = pa.table(
        {"tracking_number": pa.array(waybill, pa.string()), "hub": pa.array(hub, pa.string()),
         "ts": pa.array(ts, pa.int64()), "kind": pa.array(kind, pa.int8())}
    )  # fmt: skip
    with duckdb.connect() as db:
        db.register("given", given)
        ordered = db.sql("from given order by tracking_number, ts, kind, hub").to_arrow_table()
    return [tuple(leg.values()) for leg in legs_of(ordered).to_pylist()]


@pytest.mark.parametrize(
    ("sightings", "expected"),
    [
        pytest.param(
            [("in", "09:00"), ("out", "11:30")], [("AMD", "09:00", "11:30", False, False, 2)], id="in and out"
        ),
        pytest.param([("in", "09:00")], [("AMD", "09:00", None, False, False, 1)], id="still there"),
        pytest.param([("out", "11:30")], [("AMD", "11:30", "11:30", True, False, 1)], id="the in-scan is missing"),
        pytest.param(
            [("in", "09:00"), ("in", "15:00", "BOM"), ("out", "16:00", "BOM")],
            [("AMD", "09:00", "15:00", False, True, 1), ("BOM", "15:00", "16:00", False, False, 2)],
            id="the out-scan is missing",
        ),
        pytest.param(
            [("in", "09:00"), ("out", "10:00"), ("way", "10:30"), ("in", "15:00", "BOM")],
            [("AMD", "09:00", "10:00", False, False, 3), ("BOM", "15:00", None, False, False, 1)],
            id="a scan on the way still names the hub just left",
        ),
        pytest.param(
            [("in", "09:00"), ("out", "10:00"), ("in", "18:00"), ("out", "19:00")],
            [("AMD", "09:00", "10:00", False, False, 2), ("AMD", "18:00", "19:00", False, False, 2)],
            id="back at the hub it had left",
        ),
        pytest.param(
            [("in", "23:50"), ("out", "1d 00:20")], [("AMD", "23:50", "1d 00:20", False, False, 2)], id="over midnight"
        ),
        pytest.param(
            [("out", "09:00"), ("in", "09:00")],
            [("AMD", "09:00", "09:00", False, False, 2)],
            id="in and out in one moment",
        ),
        pytest.param(
            [("in", "06:00"), ("gone", "09:00"), ("gone", "12:00")],
            [("AMD", "06:00", "09:00", False, True, 1)],
            id="out for delivery without an out-scan",
        ),
        pytest.param(
            [("in", "06:00"), ("gone", "09:00"), ("in", "20:00")],
            [("AMD", "06:00", "09:00", False, True, 1), ("AMD", "20:00", None, False, False, 1)],
            id="back for the night after a failed attempt",
        ),
        pytest.param(
            [("gone", "05:00"), ("in", "06:00"), ("out", "07:00"), ("gone", "09:00")],
            [("AMD", "06:00", "07:00", False, False, 2)],
            id="seen elsewhere before and after, with both scans",
        ),
        pytest.param([("gone", "05:00")], [], id="never at a hub"),
    ],
)
def test_legs(sightings: list[tuple], expected: list[tuple]):
    assert legs([seen(*one) for one in sightings]) == [
        ("t1", hub, at(came), left and at(left), *rest) for hub, came, left, *rest in expected
    ]


SIGHTINGS = st.lists(
    st.builds(
        seen,
        st.sampled_from(sorted(KINDS)),
        st.integers(0, 14).map(lambda n: MONDAY + n * 30 * MINUTE),
        st.sampled_from(["AMD", "BOM"]),
        st.sampled_from(["t1", "t2", "t3"]),
    ),
    max_size=20,
    # No two sightings of a parcel in one moment: what those mean is told by the table above.
    unique_by=lambda one: (one[0], one[2]),
)


def by_hand(sightings: list[Sighting]) -> list[tuple]:
    """Walk through the sightings of each waybill."""
    found: list[tuple] = []
    for waybill in sorted({one[0] for one in sightings}):
        stays: list[dict] = []
        left = False
        for _, hub, ts, kind in sorted((s for s in sightings if s[0] == waybill), key=lambda s: s[2]):
            if kind == GONE:
                if stays:
                    stays[-1].setdefault("gone", ts)
                left = True
                continue
            if not stays or stays[-1]["hub"] != hub or (kind == IN and left):
                stays.append({"hub": hub, "in": ts, "inferred": kind != IN, "scans": 0})
            stays[-1]["scans"] += 1
            if kind == OUT:
                stays[-1]["out"] = ts
            if kind != ON_THE_WAY:
                left = kind == OUT
        for place, stay in enumerate(stays):
            later = [stays[place + 1]["in"]] if place + 1 < len(stays) else []
            shown = min([*later, *([stay["gone"]] if "gone" in stay else [])], default=None)
            out = stay.get("out", shown)
            inferred = "out" not in stay and out is not None
            found.append((waybill, stay["hub"], stay["in"], out, stay["inferred"], inferred, stay["scans"]))
    return found


@given(SIGHTINGS)
def test_any_sightings_give_what_a_walk_through_them_gives(sightings: list[Sighting]):
    assert legs(sightings) == by_hand(sightings)
