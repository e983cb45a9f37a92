"""The shell in a graph, and a Postgres that dies under it."""

import os
import random
import threading
import time

import apache_beam as beam
import pytest
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from schemas.alerts import raised
from schemas.clock import Clock
from schemas.events import EventBatch, pack_events
from schemas.fields import MINUTE, to_batch
from schemas.policy import Notify, Policy, PolicyError, read_policy
from schemas.tables import ALERTS
from scripts.postgres.cluster import Postgres as Cluster
from tests.builders import MONDAY, at, event
from tests.servers import ask
from tests.transforms.tell.oracle import expected
from tests.transforms.tell.telling import held, noted, statuses
from transforms.follow.status import pack_statuses
from transforms.tell.postgres import Postgres
from transforms.tell.stores import migrate
from transforms.tell.tell import Tell, alerts_of
from transforms.watch.follow_and_watch import FollowAndWatch
from transforms.watch.tracker import Tracker

KILLS = int(os.environ.get("MILEPOST_KILLS", "4"))
STAGES = ("picked", "carrier_scanned", "out_for_delivery", "delivered")


def shop(parcels):
    """Give the events of some parcels, in the order of their times."""
    return [
        event(stage, MONDAY + (n + 40 * place) * MINUTE, order=f"o{n}", waybill=f"t{n}", customer="c", carrier="A")
        for place, stage in enumerate(STAGES)
        for n in range(parcels)
    ]


def test_the_graph_tells_what_the_events_say(address):
    history = shop(12)
    packed = [(n % 2, pack_events(EventBatch([e for e in history if int(e.order_id[1:]) % 2 == n]))) for n in (0, 1)]
    with beam.Pipeline(runner=FnApiRunner()) as root:
        followed = (
            root
            | beam.Create([*packed, *packed]).with_output_types(tuple[int, bytes])
            | FollowAndWatch(Policy(), 30 * MINUTE, statuses=True)
        )
        (followed.statuses, followed.alerts) | Tell(address, Notify(("webhook", "sms")), Clock(until=MONDAY))
    rows, told = expected(history)
    assert held(address) == rows
    assert noted(address, "order_id, tracking_number, milestone, channel") == sorted(
        (*key, channel) for key in told for channel in ("webhook", "sms")
    )
    assert ask(address, "select distinct kind from sla_alerts") == [("pick_pack_delay",)]


def test_alerts_keep_their_types_on_the_way():
    rows = [raised("o1", "t1", "exception", at("09:00"), "torn", "carrier_damaged")]
    assert alerts_of(to_batch(rows, ALERTS.row_schema)) == rows


def test_a_status_is_told_only_when_it_changes_and_only_if_asked_for():
    tracker = Tracker(Policy(), statuses=True)
    taken = [
        len(tracker.take(EventBatch([one])).statuses)
        for one in (
            event("picked", "09:00"),
            event("picked", "09:00"),
            event("picked", "09:10"),
            event("in_transit", "12:00", hub="h1"),
            event("in_transit", "13:00", hub="h2"),
            event("carrier_scanned", "11:00"),
            event("hub_in", "10:00", promise="18:00"),
        )
    ]
    assert taken == [1, 0, 0, 1, 0, 1, 1]
    again = Tracker(Policy(), statuses=True)
    again.load(tracker.dump())
    assert again.take(EventBatch([event("picked", "09:20")])).statuses == []
    assert Tracker(Policy()).take(EventBatch([event("picked")])).statuses == []


def test_the_policy_names_the_channels(tmp_path):
    (tmp_path / "policy.toml").write_text('[notify]\nchannels = ["webhook", "sms"]\n')
    assert read_policy(tmp_path / "policy.toml").notify == Notify(("webhook", "sms"))
    (tmp_path / "policy.toml").write_text('[notify]\nchannels = ["Web Hook"]\n')
    with pytest.raises(PolicyError):
        read_policy(tmp_path / "policy.toml")


@pytest.mark.postgres
def test_a_postgres_killed_again_and_again_loses_nothing_and_doubles_nothing(cluster):
    history = shop(400)
    batches = [rows for rows in statuses([(False, history[n : n + 20]) for n in range(0, len(history), 20)])]
    with Cluster() as mine:
        migrate(mine.dsn)
        store = Postgres(mine.dsn, ["webhook"])
        ended = threading.Event()
        kills = 0

        def kill():
            nonlocal kills
            while kills < KILLS and not ended.wait(random.uniform(0.1, 0.6)):
                mine.kill()
                kills += 1
                mine.start()

        killer = threading.Thread(target=kill)
        killer.start()
        try:
            for rows in batches:
                store.write(rows, [])
                time.sleep(0.02)
            killer.join()
            for rows in batches[:5]:
                assert store.write(rows, []) == (0, 0, 0), "what comes again changes nothing"
        finally:
            ended.set()
            killer.join()
            store.close()
        rows, told = expected(history)
        print(f"{kills} kills, {store.retries} retries, {len(rows)} rows, {len(told)} notes")
        assert kills >= 1
        assert held(mine.dsn) == rows
        assert noted(mine.dsn) == sorted(told)


def test_a_bundle_that_failed_leaves_nothing_behind(address):
    from transforms.tell.tell import TellFn

    fn = TellFn(address, Notify(), Clock(until=MONDAY))
    (rows,) = statuses([(True, [event("carrier_scanned")])])
    fn.setup()
    fn.start_bundle()
    fn.process(pack_statuses(rows))
    fn.start_bundle()
    fn.finish_bundle()
    assert held(address) == set()
    fn.process(pack_statuses(rows))
    fn.finish_bundle()
    fn.teardown()
    assert len(held(address)) == 1
