"""Every number of every report against plain loops: on a simulated month, a week of it, and the published Olist sample."""

import datetime
import json

import msgspec
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from pipelines.cli import main
from pipelines.live import run_live
from pipelines.report import names, report
from pipelines.simulate import run
from schemas.fields import parse_time
from schemas.policy import Policy, read_policy
from scripts import olist
from tests.pipelines import plain_parcels
from tests.pipelines import report_oracle as oracle
from tests.pipelines.lakes import put
from tests.pipelines.test_olist import SAMPLE
from tests.pipelines.test_report import SITUATIONS, event, journey, noise
from transforms.publish.lake import Lake

KEYS = {
    "carriers": ("carrier",),
    "warehouses": ("warehouse_id",),
    "lanes": ("carrier", "origin_region", "dest_region"),
    "on_time": ("carrier",),
    "promise": ("carrier",),
    "alerts": ("kind",),
    "sla": ("carrier", "sla_status"),
    "hubs": ("carrier", "hub"),
    "reconciliation": ("carrier",),
    "feeds": ("carrier",),
    "cost": ("carrier",),
}
LATEST = {"raised": 0, "cleared": 1, "retracted": 2}


class World:
    """What is true of a lake, read past Milepost: truth, and the tables' files as Parquet."""

    def __init__(self, lake, parcels, legs=(), findings=(), horizon=None):
        """Take the lake and the truth of its parcels, stays and findings."""
        self.path, self.parcels, self.legs, self.findings = lake, list(parcels), list(legs), list(findings)
        self.events = self.table("events")
        self.horizon = horizon or max(e["event_ts"] for e in self.events)
        self.live = [e for e in self.events if not e["event_id"].startswith("scan-")]
        self.files, self.scans = self.table("hub_files"), self.table("hub_scans")
        self.alerts = _latest(self.table("alerts"))

    def table(self, name):
        path = str(self.path / name)
        return plain_parcels.rows_of(DeltaTable(path).to_pyarrow_table()) if DeltaTable.is_deltatable(path) else []

    def within(self, first, last):
        """Give the world as a period chooses it."""

        def of(rows, column):
            return [row for row in rows if first <= row[column] < last]

        part = World.__new__(World)
        part.path, part.horizon = self.path, self.horizon
        part.events, part.live = self.events, of(self.live, "event_ts")
        part.parcels, part.every = of(self.parcels, "first_event_ts"), self.parcels
        part.legs, part.findings = of(self.legs, "in_ts"), of(self.findings, "at_ts")
        part.files, part.scans = of(self.files, "day_ts"), of(self.scans, "scan_ts")
        part.alerts = of(self.alerts, "due_ts")
        return part

    def at(self, horizon):
        """Give the world as it was at a time; its parcels are folded out of the events up to then."""

        def until(rows, *columns):
            return [row for row in rows if all(row[column] <= horizon for column in columns)]

        then = World.__new__(World)
        then.path, then.horizon, then.findings = self.path, horizon, []
        then.events, then.live = until(self.events, "event_ts"), until(self.live, "event_ts")
        then.parcels = plain_parcels.fold(self.events, horizon)
        open_yet = {"out_ts": None, "out_inferred": False, "dwell_minutes": None}
        then.legs = [
            leg if leg["out_ts"] is not None and leg["out_ts"] <= horizon else leg | open_yet
            for leg in until(self.legs, "in_ts")
        ]
        then.files, then.scans = until(self.files, "day_ts"), until(self.scans, "scan_ts")
        then.alerts = _latest(until(self.table("alerts"), "due_ts", "state_ts"))
        return then

    def wanted(self, name):
        """Give a report's rows by their keys, as the loops find them."""
        every = getattr(self, "every", self.parcels)
        match name:
            case "carriers" | "warehouses":
                return plain_parcels.scorecard(self.parcels, KEYS[name], self.horizon)
            case "lanes":
                scores, delays = (
                    plain_parcels.scorecard(self.parcels, KEYS[name], self.horizon),
                    oracle.lanes(self.parcels),
                )
                return {key: delays[key] | row for key, row in scores.items()}
            case "on_time":
                return _keyed(oracle.on_time(self.parcels, self.horizon))
            case "promise":
                return _keyed(oracle.promise(self.parcels, self.events))
            case "alerts":
                return _keyed(oracle.alerts(self.alerts, every))
            case "sla":
                return oracle.sla(self.parcels)
            case "hubs":
                return oracle.hubs(self.legs, self.horizon)
            case "reconciliation":
                return _keyed(oracle.reconciliation(self.findings, self.scans, every, self.horizon))
            case "feeds":
                return _keyed(oracle.feeds(self.live, self.parcels, self.files, self.legs, self.horizon))
            case _:
                return _keyed(oracle.cost(self.live, self.parcels, self.files, self.scans, self.horizon))


def _latest(alerts):
    lives = {}
    for row in alerts:
        held = lives.setdefault(row["alert_id"], row)
        if LATEST[row["state"]] > LATEST[held["state"]]:
            lives[row["alert_id"]] = row
    return list(lives.values())


def _keyed(rows):
    return {(key,): row for key, row in rows.items()}


def check(world, name, **period):
    rows = plain_parcels.rows_of(report(name, world.path, **period).rows)
    told = {tuple(row.pop(key) for key in KEYS[name]): row for row in rows}
    wanted = world.wanted(name)
    assert told.keys() == wanted.keys()
    for key, row in wanted.items():
        assert list(told[key]) == list(row)
        for column, value in row.items():
            near = pytest.approx(value, rel=1e-9, abs=1e-9) if isinstance(value, float) else value
            assert told[key][column] == near, (key, column)
    return told


@pytest.fixture(scope="module")
def month(tmp_path_factory):
    """A simulated month, taken in live and by night."""
    folder = tmp_path_factory.mktemp("month")
    run(folder / "shop", 2_500, 30, 7)
    lake = folder / "lake"
    run_live(str(folder / "shop" / "events.jsonl"), str(lake), Policy())
    days = ["--from", "2025-06-01", "--to", "2025-06-30"]
    assert main(["nightly", "--drop", str(folder / "shop" / "hub_scans"), "--lake", str(lake), *days]) == 0
    truth = [
        plain_parcels.rows_of(pq.read_table(folder / "shop" / "truth" / "nightly" / f"{name}.parquet"))
        for name in ("shipments", "hub_legs", "reconciliation")
    ]
    return World(lake, *truth)


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    """The Olist sample, taken in live; its parcels are folded out of the converter's lines."""
    if not SAMPLE.is_dir():
        pytest.skip("the Olist sample is not beside the project, in ../shared/data/olist-sample")
    folder = tmp_path_factory.mktemp("olist")
    lines, _ = olist.convert(SAMPLE, folder)
    run_live(str(lines), str(folder / "lake"), Policy())
    told = list(map(json.loads, lines.read_text(encoding="utf-8").splitlines()))
    times = ("event_ts", "promised_delivery_ts")
    read = [e | {name: parse_time(e[name]) if e.get(name) else None for name in times} for e in told]
    return World(folder / "lake", plain_parcels.fold(read))


def test_every_report_is_checked_here_or_beside():
    assert {*KEYS, "rejections"} == set(names())


@pytest.mark.parametrize("name", KEYS)
def test_on_a_simulated_month(month, name):
    assert check(month, name)


@pytest.mark.parametrize("name", KEYS)
def test_on_a_week_of_it(month, name):
    first, last = parse_time("2025-06-09T00:00:00Z"), parse_time("2025-06-16T00:00:00Z")
    days = {"first": datetime.date(2025, 6, 9), "last": datetime.date(2025, 6, 15)}
    assert check(month.within(first, last), name, **days)


@pytest.mark.parametrize("name", [name for name in KEYS if name != "reconciliation"])
def test_on_the_month_as_the_world_was_in_its_midst(month, name):
    then = parse_time("2025-06-14T15:00:00Z")
    assert check(month.at(then), name, horizon=then)


@pytest.mark.parametrize("name", KEYS)
def test_on_the_olist_sample(sample, name):
    assert check(sample, name) or name in ("hubs", "reconciliation")


@pytest.mark.parametrize("name", [name for name in KEYS if name not in ("hubs", "reconciliation")])
@pytest.mark.parametrize("events", [SITUATIONS, noise(1), noise(2)], ids=["situations", "noise 1", "noise 2"])
def test_on_parcels_of_which_anything_is_told(lake, name, events):
    put(lake, "events", *events)
    parcels = plain_parcels.fold([msgspec.structs.asdict(one) for one in events])
    assert check(World(lake.path, parcels), name) or name == "alerts"


# What the numbers are for.


def test_a_lane_that_is_always_slow_is_in_chronic_delay_and_one_that_had_bad_luck_is_not(lake):
    for number in range(40):
        put(lake, "events", *journey(f"S{number}", ("labeled", 0), ("delivered", 50 if number % 2 else 40)))
        put(lake, "events", *journey(f"O{number}", ("labeled", 0), ("delivered", 40), dest_region="west"))
    put(lake, "events", *journey("B1", ("labeled", 0), ("delivered", 50), dest_region="east"))
    found = {row["dest_region"]: row["chronic"] for row in report("lanes", lake.path).rows.to_pylist()}
    assert found == {"south": True, "west": False, "east": False}


def test_the_gap_between_delivered_only_and_survivor_free_is_what_never_came(lake):
    put(lake, "events", *journey("O1", ("labeled", 0), ("delivered", 40)), *journey("O2", ("labeled", 0), ("lost", 60)))
    (row,) = report("on_time", lake.path).rows.to_pylist()
    assert (row["delivered_only_pct"], row["survivor_free_pct"], row["gap_points"]) == (100.0, 50.0, 50.0)


def test_a_carrier_quieter_than_ever_is_silent(lake):
    put(lake, "events", *(event("in_transit", hour, "O1", carrier="acme") for hour in (0, 5, 10)))
    put(lake, "events", *(event("in_transit", hour, "O2", carrier="bolt") for hour in range(17)))
    found = {row["carrier"]: row["silent"] for row in report("feeds", lake.path).rows.to_pylist()}
    assert found == {"acme": True, "bolt": False}


def test_unit_prices_are_those_of_the_policy(lake, tmp_path):
    put(lake, "events", *journey("O1", ("carrier_scanned", 0), ("delivered", 50)))
    file = tmp_path / "policy.toml"
    file.write_text(
        '[costs]\ncurrency = "INR"\nlate_hour = 3.0\ncontact = 10\ncontact_share = 0.1\npoll_every = "25 h"\n'
    )
    (row,) = report("cost", lake.path, costs=read_policy(file).costs).rows.to_pylist()
    assert (row["late_cost"], row["all_live_calls"], row["currency"]) == (2 * 3.0 + 10 * 0.1, 2, "INR")
    Lake(lake.path).remember(read_policy(file))
    assert report("cost", lake.path).rows.to_pylist() == [row]
