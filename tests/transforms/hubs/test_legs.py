"""Hub legs: tables of situations, and any set of scans against a loop that reads them one by one."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.fields import MINUTE
from schemas.rows import HubScan
from schemas.tables import HUB_SCANS
from tests.builders import MONDAY, at
from tests.transforms.publish.rows import add
from transforms.hubs.legs import hub_legs
from transforms.publish.lake import Lake

ORDER = ("hub_in", "in_transit", "hub_out")


def scan(stage: str, when: str | int, hub: str = "AMD", waybill: str = "t1") -> HubScan:
    ts = at(when) if isinstance(when, str) else when
    return HubScan("dtdc", waybill, ts, stage, hub, stage, "dtdc/2026-03-02.csv")


def legs(folder: Path, *scans: HubScan) -> list[tuple]:
    """Give the legs as (hub, in, out, in inferred, out inferred, scans)."""
    lake = Lake(folder).check(create=True)
    add(lake, HUB_SCANS, scans)
    found = hub_legs(lake).to_pylist()
    for leg in found:
        stay = None if leg["out_ts"] is None else (leg["out_ts"] - leg["in_ts"]).total_seconds() / 60
        assert leg["dwell_minutes"] == (None if stay is None else pytest.approx(stay))
    return sorted(
        (
            leg["tracking_number"],
            leg["hub"],
            round(leg["in_ts"].timestamp() * 1e6),
            None if leg["out_ts"] is None else round(leg["out_ts"].timestamp() * 1e6),
            leg["in_inferred"],
            leg["out_inferred"],
            leg["scans"],
        )
        for leg in found
    )


@pytest.mark.parametrize(
    ("scans", "expected"),
    [
        pytest.param(
            [("hub_in", "09:00"), ("hub_out", "11:30")], [("AMD", "09:00", "11:30", False, False, 2)], id="in and out"
        ),
        pytest.param([("hub_in", "09:00")], [("AMD", "09:00", None, False, False, 1)], id="still there"),
        pytest.param([("hub_out", "11:30")], [("AMD", "11:30", "11:30", True, False, 1)], id="the in-scan is missing"),
        pytest.param(
            [("hub_in", "09:00"), ("hub_in", "15:00", "BOM"), ("hub_out", "16:00", "BOM")],
            [("AMD", "09:00", "15:00", False, True, 1), ("BOM", "15:00", "16:00", False, False, 2)],
            id="the out-scan is missing",
        ),
        pytest.param(
            [("hub_in", "09:00"), ("hub_out", "10:00"), ("in_transit", "10:30"), ("hub_in", "15:00", "BOM")],
            [("AMD", "09:00", "10:00", False, False, 3), ("BOM", "15:00", None, False, False, 1)],
            id="a scan on the way still names the hub just left",
        ),
        pytest.param(
            [("hub_in", "09:00"), ("hub_out", "10:00"), ("hub_in", "18:00"), ("hub_out", "19:00")],
            [("AMD", "09:00", "10:00", False, False, 2), ("AMD", "18:00", "19:00", False, False, 2)],
            id="back at the hub it had left",
        ),
        pytest.param(
            [("hub_in", "23:50"), ("hub_out", "1d 00:20")],
            [("AMD", "23:50", "1d 00:20", False, False, 2)],
            id="over midnight",
        ),
        pytest.param(
            [("hub_out", "09:00"), ("hub_in", "09:00")],
            [("AMD", "09:00", "09:00", False, False, 2)],
            id="in and out in one moment",
        ),
    ],
)
def test_legs(tmp_path: Path, scans: list[tuple], expected: list[tuple]):
    assert legs(tmp_path / "lake", *(scan(*one) for one in scans)) == [
        ("t1", hub, at(came), left and at(left), *rest) for hub, came, left, *rest in expected
    ]


SCANS = st.lists(
    st.builds(
        scan,
        st.sampled_from(ORDER),
        st.integers(0, 12).map(lambda n: MONDAY + n * 30 * MINUTE),
        st.sampled_from(["AMD", "BOM"]),
        st.sampled_from(["t1", "t2"]),
    ),
    max_size=14,
    # No two scans of a parcel in one moment: what those mean is told by the table above.
    unique_by=lambda one: (one.tracking_number, one.scan_ts),
)


def by_hand(scans: list[HubScan]) -> list[tuple]:
    """Walk through the scans of each parcel."""
    found: list[tuple] = []
    for waybill in sorted({one.tracking_number for one in scans}):
        stays: list[list] = []
        gate = None
        for one in sorted((s for s in scans if s.tracking_number == waybill), key=lambda s: s.scan_ts):
            if not stays or stays[-1][0] != one.hub or (one.stage == "hub_in" and gate == "hub_out"):
                stays.append([one.hub, one.scan_ts, None, one.stage != "hub_in", 0])
            stays[-1][4] += 1
            if one.stage == "hub_out":
                stays[-1][2] = one.scan_ts
            if one.stage != "in_transit":
                gate = one.stage
        for place, (hub, came, left, inferred, count) in enumerate(stays):
            later = stays[place + 1][1] if place + 1 < len(stays) else None
            found.append((waybill, hub, came, left or later, inferred, left is None and later is not None, count))
    return sorted(found)


@settings(deadline=None, max_examples=60)
@given(SCANS)
def test_any_scans_give_what_a_walk_through_them_gives(tmp_path_factory, scans: list[HubScan]):
    assert legs(tmp_path_factory.mktemp("legs") / "lake", *scans) == by_hand(scans)
