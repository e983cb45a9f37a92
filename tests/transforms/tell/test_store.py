"""What the store holds is a function of the set of events, however they come; and what it does, it does whole."""

import random
import sqlite3
import threading

import pytest
from hypothesis import HealthCheck, given, settings

from schemas.alerts import cleared, raised, retracted
from schemas.fields import MINUTE
from schemas.news import PENDING, STALE
from tests.builders import MONDAY, at, event
from tests.servers import ask, empty
from tests.transforms.tell.oracle import expected
from tests.transforms.tell.telling import held, noted, statuses, tellings
from transforms.tell import record as recording
from transforms.tell.postgres import Postgres
from transforms.tell.sqlite import Sqlite
from transforms.tell.store import StoreError
from transforms.tell.stores import migrate, open_store

DELIVERED = [
    event("delivered", "15:00", id="shop-1", customer="c1"),
    event("delivered", "15:02", id="carrier-9", carrier="A"),
    event("delivered", "15:00", id="shop-1", customer="c1"),
]


def clear(address):
    """Empty the tables."""
    if address.startswith("sqlite"):
        for table in ("order_fulfillment_live", "sla_alerts", "outbox"):
            ask(address, f"delete from {table}")
    else:
        empty(address)


def tell(store, *events, forgets=False):
    """Tell events one batch at a time."""
    for rows in statuses([(forgets, [one]) for one in events]):
        store.write(rows, [])


@given(tellings())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_and_outbox_follow_from_the_set_of_events(address, store, telling):
    clear(address)
    history, batches = telling
    for rows in statuses(batches):
        store.write(rows, [])
    rows, told = expected(history)
    assert held(address) == rows
    assert noted(address) == sorted(told)


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (1, 2, 0)])
@pytest.mark.parametrize("forgets", [False, True])
def test_delivered_told_three_times_by_two_sources_is_one_row(address, store, order, forgets):
    tell(store, *(DELIVERED[place] for place in order), forgets=forgets)
    assert noted(address, "milestone, state") == [("delivered", PENDING)]
    assert len(held(address)) == 1


def test_a_row_that_does_not_move_is_not_written(address, store):
    tell(store, event("delivered", "15:00"))
    before = ask(address, "select updated_at from order_fulfillment_live")
    (rows,) = statuses([(True, [event("delivered", "15:00"), event("carrier_scanned", "09:00")])])
    assert store.write(rows, []) == (1, 0, 1)
    assert store.write(rows, []) == (0, 0, 0)
    (older,) = statuses([(True, [event("delivered", "16:00")])])
    assert store.write(older, []) == (0, 0, 0)
    assert before != ask(address, "select updated_at from order_fulfillment_live")


def test_what_was_overtaken_is_kept_and_not_sent(address, store):
    tell(store, event("out_for_delivery", "12:00"), event("carrier_scanned", "09:00"), event("exception", "10:00"),
         event("attempt_failed", "14:00"), event("delivered", "18:00"))  # fmt: skip
    assert noted(address, "milestone, state") == [
        ("attempt_failed", PENDING), ("delivered", PENDING), ("exception", STALE), ("out_for_delivery", PENDING),
        ("shipped", STALE),
    ]  # fmt: skip


def test_what_happened_too_long_ago_is_kept_and_not_sent_but_what_follows_is(address, store):
    (old,) = statuses([(True, [event("carrier_scanned", "1d 09:00"), event("out_for_delivery", "3d 09:00")])])
    store.write(old, [], since=at("2d 00:00"))
    (new,) = statuses([(True, [event("delivered", "3d 12:00")])])
    store.write(new, [], since=at("2d 00:00"))
    assert noted(address, "milestone, state") == [
        ("delivered", PENDING), ("out_for_delivery", PENDING), ("shipped", STALE),
    ]  # fmt: skip


def test_trouble_on_the_last_mile_is_news_though_its_rank_is_lower(address, store):
    tell(store, event("out_for_delivery", "12:00"), event("exception", "13:00"), event("exception", "13:30"))
    assert noted(address, "milestone, state") == [("exception", PENDING), ("out_for_delivery", PENDING)]


@pytest.mark.parametrize("late", [False, True])
def test_the_return_legs_delivery_is_no_news_even_if_it_is_known_late(address, store, late):
    back = [event("return_started", "10:00"), event("delivered", "18:00")]
    tell(store, *(reversed(back) if late else back))
    assert noted(address, "milestone, state") == [("delivered", STALE)]
    assert {row[13] for row in held(address)} == {None}


def test_an_alert_only_moves_forward_and_another_occurrence_goes_before(address, store):
    alert = raised("o1", "t1", "exception", at("09:00"), "torn", "carrier_damaged")
    other = raised("o1", "t1", "exception", at("09:00"), "wet", "weather_storm")
    late, early = cleared(alert, at("12:00"), "delivered"), cleared(alert, at("11:00"), "delivered")
    taken_back = retracted(alert, at("13:00"))
    again = raised("o1", "t1", "exception", at("09:00"), "torn", "carrier_damaged")
    again.alert_id += ".1"
    lives = [alert, other, late, early, taken_back]
    for seed in range(6):
        clear(address)
        rows = [*lives, *random.Random(seed).choices(lives, k=4)]
        random.Random(seed).shuffle(rows)
        for row in rows:
            store.write([], [row])
        found = ask(address, "select evidence, state from sla_alerts order by 2")
        assert [state for _, state in found] == ["raised", "retracted"]
        if seed == 0:
            store.write([], [early, again])
            assert {one[0] for one in ask(address, "select state from sla_alerts")} == {"raised"}
    clear(address)
    store.write([], [late, alert, early])
    assert ask(address, "select count(*) from sla_alerts where state = 'cleared'") == [(1,)]
    store.write([], [late])
    ((when,),) = ask(address, "select evidence from sla_alerts")
    assert "11:00" in when


class PowerCut(Exception):
    """The end of a process, in a test."""


@pytest.mark.parametrize("step", [1, 2, 3, 4])
def test_a_transaction_cut_off_anywhere_leaves_nothing(address, store, monkeypatch, step):
    tell(store, event("picked", "08:00"))
    before = held(address), noted(address)
    calls = 0
    whole = recording.record

    def cut(execute, *rest):
        def counted(sql, given):
            nonlocal calls
            calls += 1
            if calls == step:
                raise PowerCut
            return execute(sql, given)

        done = whole(counted, *rest)
        raise PowerCut(done)

    alert = raised("o1", "t1", "exception", at("09:00"), "torn")
    (rows,) = statuses([(True, [event("carrier_scanned", "09:00")])])
    for module in ("postgres", "sqlite"):
        monkeypatch.setattr(f"transforms.tell.{module}.record", cut)
    with pytest.raises(PowerCut):
        store.write(rows, [alert])
    assert (held(address), noted(address)) == before
    monkeypatch.undo()
    assert store.write(rows, [alert]) == (1, 1, 1)
    assert noted(address) == [("o1", "t1", "shipped")]


def test_writers_at_once_leave_the_same_rows(address):
    history = [
        event(stage, MONDAY + place * MINUTE, order=f"o{n}", waybill=f"t{n}", customer="c", carrier="A")
        for n in range(40)
        for place, stage in enumerate(["picked", "carrier_scanned", "out_for_delivery", "delivered"])
    ]
    faults = []

    def write(seed):
        mine = random.Random(seed).sample(history, len(history))
        store = open_store(address, ["webhook", "sms"])
        try:
            for start in range(0, len(mine), 16):
                (rows,) = statuses([(True, mine[start : start + 16])])
                store.write(rows, [])
        except Exception as fault:
            faults.append(fault)
        finally:
            store.close()

    threads = [threading.Thread(target=write, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows, told = expected(history)
    assert faults == []
    assert held(address) == rows
    assert noted(address, "order_id, tracking_number, milestone, channel") == sorted(
        (*key, channel) for key in told for channel in ("webhook", "sms")
    )


def test_text_that_no_database_takes_is_taken_with_a_mark_in_its_place(address, store):
    tell(store, event("carrier_scanned", order="a\0b\\u0000", customer='\\"; drop table outbox; --\0'))
    assert noted(address) == [("a\ufffdb\\u0000", "t1", "shipped")]


@pytest.mark.postgres
def test_a_batch_that_postgres_refuses_is_one_sentence_without_the_rows(dsn):
    store = Postgres(dsn, ["webhook"])
    (rows,) = statuses([(True, [event("picked", order="secret-order")])])
    rows[0].current_rank = 1 << 40
    try:
        with pytest.raises(StoreError, match="refuses the batch") as said:
            store.write(rows, [])
        assert "secret" not in str(said.value)
    finally:
        store.close()


def test_a_database_that_stays_away_fails_the_batch(tmp_path):
    (rows,) = statuses([(True, [event("picked")])])
    store = Postgres("postgresql://127.0.0.1:1/none", ["webhook"], patience=0.5)
    try:
        with pytest.raises(StoreError, match="away"):
            store.write(rows, [])
    finally:
        store.close()
    with pytest.raises(StoreError, match=r"none\.db"):
        Sqlite(tmp_path / "none.db", ["webhook"]).write(rows, [])


def test_two_that_migrate_at_once_do_not_collide(address, tmp_path):
    if address.startswith("sqlite"):
        address = f"sqlite:///{tmp_path}/fresh/outbox.db"
    else:
        ask(address, "drop schema if exists fresh cascade")
        ask(address, "create schema fresh")
        address += "?options=-csearch_path%3Dfresh"
    ran, threads = [], []
    for _ in range(4):
        threads.append(threading.Thread(target=lambda: ran.append(migrate(address))))
        threads[-1].start()
    for thread in threads:
        thread.join()
    assert len(ran) == 4 and len([names for names in ran if names]) == 1


def test_a_database_of_a_newer_version_is_left_alone(tmp_path):
    path = tmp_path / "outbox.db"
    migrate(f"sqlite:///{path}")
    with sqlite3.connect(path) as connection:
        connection.execute("insert into milepost_migrations values ('999_later', '')")
    connection.close()
    with pytest.raises(StoreError, match="newer"):
        migrate(f"sqlite:///{path}")


@pytest.mark.postgres
def test_the_views_have_the_columns_of_the_seed(dsn):
    store = Postgres(dsn, ["webhook"])
    promise = at("18:00")
    try:
        tell(store, event("picked", "09:00", promise=promise, customer="c1", carrier="A"), event("packed", "09:30"))
        tell(store, event("picked", "09:00", waybill="t2"), event("delivered", "10:00", waybill="t2"))
        store.write([], [raised("o1", "t1", "sla_at_risk", promise - 240 * MINUTE, "promised")])
        store.write([], [raised("o1", "t1", "sla_breached", promise, "promised")])
    finally:
        store.close()
    assert ask(dsn, """select order_id, customer_id, current_stage, pick_to_pack_minutes, parcels, parcels_delivered
        from order_status_by_order""") == [("o1", "c1", "packed", 30.0, 2, 1)]  # fmt: skip
    assert ask(dsn, """select order_id, customer_id, current_stage, carrier, sla_status, hours_until_promise < 0,
        check_ts = now(), promised_delivery_ts is not null from sla_breach_alerts""") == [
        ("o1", "c1", "packed", "A", "breached", True, True, True)
    ]  # fmt: skip
    assert len(ask(dsn, "select customer_id, current_stage, carrier, check_ts from sla_alerts_live")) == 2
