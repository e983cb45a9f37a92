"""The published Olist data through converter, live graph and reports, against SQL over the raw CSV files.

The data stands beside the project, never in it. The small shop of the second half is made up.
"""

import csv
import datetime
import gzip
import json
from pathlib import Path

import duckdb
import pytest

from pipelines import cli
from pipelines.live import run_live
from schemas.policy import Policy
from scripts import olist

SAMPLE = Path(__file__).parents[2].parent / "shared/data/olist-sample"

# The oracle: DuckDB reads the files, knows the zone, and hears of none of Milepost's own rules or code.
SHIPMENTS = """
create table shipments as
with shares as (
    select order_id, seller_id, row_number() over (partition by order_id order by seller_id) as k
    from (select distinct order_id, seller_id from order_items)
),
times as (
    select
        order_id || '-' || coalesce(k, 1) as tracking_number,
        coalesce(seller_id, 'unknown') as warehouse_id,
        'olist' as carrier,
        seller_state as origin_region,
        customer_state as dest_region,
        order_approved_at::timestamp at time zone 'America/Sao_Paulo' as picked,
        order_delivered_carrier_date::timestamp at time zone 'America/Sao_Paulo' as carrier_scanned,
        order_delivered_customer_date::timestamp at time zone 'America/Sao_Paulo' as delivered,
        case when order_status in ('canceled', 'unavailable') and delivered is null then greatest(
            order_purchase_timestamp::timestamp at time zone 'America/Sao_Paulo', picked, carrier_scanned
        ) end as cancelled,
        (order_estimated_delivery_date::date + interval '23:59:59') at time zone 'America/Sao_Paulo' as promise
    from orders
    left join shares using (order_id)
    left join sellers using (seller_id)
    left join customers using (customer_id)
)
select * from times where coalesce(picked, carrier_scanned, delivered, cancelled) is not null
"""

MILESTONES = """
create table milestones as
select tracking_number, milestone, event_ts
from shipments unpivot (event_ts for milestone in (picked, carrier_scanned, delivered, cancelled))
"""

SCORECARD = """
select
    {keys},
    count(delivered) as total_orders,
    sum(case when delivered <= promise then 1 else 0 end)::int as on_time_deliveries,
    sum(case when delivered > promise then 1 else 0 end)::int as late_deliveries,
    100 * on_time_deliveries / nullif(total_orders, 0) as on_time_rate_pct,
    null as avg_pick_to_pack_min,
    null as avg_label_to_scan_min,
    sum(case when promise <= horizon then 1 else 0 end)::int as promises_due,
    sum(case when promise <= horizon and delivered <= promise then 1 else 0 end)::int as promises_kept,
    100 * promises_kept / nullif(promises_due, 0) as kept_rate_pct,
    quantile_cont(epoch(delivered - carrier_scanned) / 3600, 0.50) as transit_p50_hours,
    quantile_cont(epoch(delivered - carrier_scanned) / 3600, 0.90) as transit_p90_hours,
    quantile_cont(epoch(delivered - carrier_scanned) / 3600, 0.95) as transit_p95_hours,
    case when total_orders > 0 then 1e2 end as first_attempt_rate_pct,
    0 as exceptions,
    0 as lost,
    0 as returned,
    sum(case when delivered is null and cancelled is null and promise < horizon then 1 else 0 end)::int as overdue,
    sum(case when delivered is null and cancelled is null then 1 else 0 end)::int as open,
    count(*) as parcels
from shipments, (select max(event_ts) as horizon from milestones)
group by {keys}
"""


@pytest.fixture(scope="module")
def raw():
    if not SAMPLE.is_dir():
        pytest.skip("the Olist sample is not beside the project, in ../shared/data/olist-sample")
    with duckdb.connect() as db:
        db.execute("set timezone = 'UTC'")
        for name in olist.FILES:
            db.read_csv(SAMPLE / f"{name}.csv", all_varchar=True).create(name)
        db.execute(SHIPMENTS)
        db.execute(MILESTONES)
        yield db


@pytest.fixture(scope="module")
def events(raw, tmp_path_factory):
    target, _ = olist.convert(SAMPLE, tmp_path_factory.mktemp("olist"))
    return target


@pytest.fixture(scope="module")
def replay(events, tmp_path_factory):
    lake = tmp_path_factory.mktemp("olist") / "lake"
    return lake, run_live(str(events), str(lake), Policy())


def milepost(capsys, *words):
    assert cli.main([*words, "--format", "json"]) == 0
    return json.loads(capsys.readouterr().out)


def dicts(answer):
    return [dict(zip(answer.columns, row, strict=True)) for row in answer.fetchall()]


def by_key(rows, keys):
    return {tuple(row.pop(key) for key in keys): row for row in rows}


def test_every_event_is_taken_once(raw, replay):
    _, counted = replay
    ((expected,),) = raw.sql("select count(*) from milestones").fetchall()
    assert expected > 5_000
    assert counted["events_accepted"] == counted["rows_events"] == counted["rows_milestones"] == expected
    assert not [name for name in counted if name.startswith("rejected_")]


def test_first_milestones(capsys, raw, replay):
    query = "select tracking_number, milestone, epoch_us(event_ts) as event_ts from {} order by all"
    told = milepost(capsys, "sql", "--lake", str(replay[0]), query.format("first_milestones"))
    assert told == dicts(raw.sql(query.format("milestones")))


@pytest.mark.parametrize(
    ("report", "keys"),
    [
        ("carriers", ("carrier",)),
        ("warehouses", ("warehouse_id",)),
        ("lanes", ("carrier", "origin_region", "dest_region")),
    ],
)
def test_scorecards(capsys, raw, replay, report, keys):
    told = by_key(milepost(capsys, "report", report, "--lake", str(replay[0])), keys)
    expected = by_key(dicts(raw.sql(SCORECARD.format(keys=", ".join(keys)))), keys)
    assert told.keys() == expected.keys()
    for key, figures in expected.items():
        # Lanes say more than a scorecard.
        told[key] = {name: value for name, value in told[key].items() if report != "lanes" or name in figures}
        assert list(told[key]) == list(figures)
        near = {name: None if x is None else pytest.approx(x, rel=1e-12) for name, x in figures.items()}
        assert told[key] == near, key


def test_attributes(events, raw):
    told = {}
    for line in events.read_bytes().splitlines():
        event = json.loads(line)
        promise = datetime.datetime.fromisoformat(event["promised_delivery_ts"])
        attributes = (event["customer_id"], event["currency"], event["declared_value"], promise)
        # All events of a shipment tell the same.
        assert told.setdefault(event["tracking_number"], attributes) == attributes
    expected = raw.sql("""
        select tracking_number, customer_unique_id, 'BRL', sum(price::decimal(18, 2))::double, promise
        from shipments
        join orders on order_id = split_part(tracking_number, '-', 1)
        join customers using (customer_id)
        left join order_items on order_items.order_id = orders.order_id and seller_id = warehouse_id
        group by all
    """).fetchall()
    assert told == {tracking_number: tuple(attributes) for tracking_number, *attributes in expected}


# A made-up shop, for what the sample does not hold.

ORDER = {
    "order_id": "o1",
    "customer_id": "c1",
    "order_status": "delivered",
    "order_purchase_timestamp": "2018-01-02 10:00:00",
    "order_approved_at": "2018-01-02 11:00:00",
    "order_delivered_carrier_date": "2018-01-03 09:30:00",
    "order_delivered_customer_date": "2018-01-05 16:45:10",
    "order_estimated_delivery_date": "2018-01-09 00:00:00",
}
ITEMS = [
    {"order_id": "o1", "seller_id": "s2", "price": "0.10"},
    {"order_id": "o1", "seller_id": "s1", "price": "5.00"},
    {"order_id": "o1", "seller_id": "s2", "price": "0.20"},
]
CUSTOMER = {"customer_id": "c1", "customer_unique_id": "u1", "customer_state": "SP"}
SELLER = {"seller_id": "s1", "seller_state": "PR"}


@pytest.fixture
def shop(tmp_path):
    """Give a function that writes the four files and the names they go by."""

    def write(order=None, items=ITEMS, customers=(CUSTOMER,), sellers=(SELLER,), names="{}.csv"):
        tables = {"orders": [ORDER | (order or {})], "order_items": items, "customers": customers, "sellers": sellers}
        for name, rows in tables.items():
            with (tmp_path / names.format(name)).open("w", newline="") as file:
                writer = csv.DictWriter(file, olist.FILES[name])
                writer.writeheader()
                writer.writerows(rows)
        return tmp_path

    return write


def told(folder):
    return olist.events(olist.read_olist(folder))


def test_each_seller_of_an_order_sends_a_shipment(shop):
    events = told(shop())
    assert [(event.event_id, event.event_ts.isoformat()) for event in events] == [
        ("o1-1-picked", "2018-01-02T13:00:00+00:00"),
        ("o1-2-picked", "2018-01-02T13:00:00+00:00"),
        ("o1-1-carrier_scanned", "2018-01-03T11:30:00+00:00"),
        ("o1-2-carrier_scanned", "2018-01-03T11:30:00+00:00"),
        ("o1-1-delivered", "2018-01-05T18:45:10+00:00"),
        ("o1-2-delivered", "2018-01-05T18:45:10+00:00"),
    ]
    assert {(e.tracking_number, e.warehouse_id, e.origin_region, e.declared_value) for e in events} == {
        ("o1-1", "s1", "PR", 5.0),
        ("o1-2", "s2", None, 0.3),
    }
    assert {event.promised_delivery_ts.isoformat() for event in events} == {"2018-01-10T01:59:59+00:00"}


def test_what_is_missing_is_null(shop):
    event = told(shop(items=[], customers=[], sellers=[]))[0]
    assert (event.tracking_number, event.warehouse_id, event.carrier) == ("o1-1", "unknown", "olist")
    assert (event.customer_id, event.origin_region, event.dest_region, event.declared_value) == (None,) * 4


@pytest.mark.parametrize(
    ("order", "last"),
    [
        ({"order_status": "canceled", "order_delivered_customer_date": ""}, "2018-01-03T11:30:00+00:00"),
        (
            {
                "order_status": "unavailable",
                "order_approved_at": "",
                "order_delivered_carrier_date": "",
                "order_delivered_customer_date": "",
            },
            "2018-01-02T12:00:00+00:00",
        ),
    ],
    ids=["at the last time known", "at the purchase if there is no other"],
)
def test_cancelled(shop, order, last):
    event = told(shop(order))[-1]
    assert (event.stage, event.event_ts.isoformat()) == ("cancelled", last)


def test_delivered_whatever_the_status_says(shop):
    assert [event.stage for event in told(shop({"order_status": "canceled"}))][-2:] == ["delivered", "delivered"]


@pytest.mark.parametrize(
    ("local", "instant"),
    [
        ("2018-07-01 12:00:00", "2018-07-01T15:00:00+00:00"),
        ("2018-01-01 12:00:00", "2018-01-01T14:00:00+00:00"),
        ("2018-02-17 23:59:59", "2018-02-18T02:59:59+00:00"),
        ("2017-10-15 00:30:00", "2017-10-15T03:30:00+00:00"),
    ],
    ids=["winter", "summer", "hour that comes twice", "hour left out"],
)
def test_local_times(local, instant):
    assert olist.utc(local).isoformat() == instant
    ((oracle,),) = duckdb.execute("select epoch(? :: timestamp at time zone 'America/Sao_Paulo')", [local]).fetchall()
    assert olist.utc(local).timestamp() == oracle


def test_files_by_their_published_names(shop, tmp_path, capsys):
    source = shop(names="olist_{}_dataset.csv")
    assert olist.main([str(source), str(tmp_path / "out")]) == 0
    assert "6 events" in capsys.readouterr().out
    assert olist.main([str(source), str(tmp_path / "packed.jsonl.gz")]) == 0
    plain = (tmp_path / "out/events.jsonl").read_bytes()
    assert gzip.decompress((tmp_path / "packed.jsonl.gz").read_bytes()) == plain
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["events.jsonl"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("customers.csv", None, "has no file customers.csv or olist_customers_dataset.csv"),
        ("sellers.csv", "seller_id\ns1\n", "has no column seller_state"),
        ("order_items.csv", "order_id,seller_id,price\no1,s1,dear\n", "'dear' is no price"),
    ],
)
def test_unusable_input(shop, tmp_path, capsys, name, content, message):
    path = shop() / name
    path.unlink() if content is None else path.write_text(content)
    assert olist.main([str(path.parent), str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert message in said and len(said.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_unreadable_time(shop):
    with pytest.raises(olist.SourceError, match="'soon' is no time"):
        told(shop({"order_approved_at": "soon"}))


def test_no_folder(tmp_path, capsys):
    assert olist.main([str(tmp_path / "nowhere"), str(tmp_path / "out")]) == 2
    assert "is no folder" in capsys.readouterr().err
