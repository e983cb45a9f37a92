"""One piece of news that comes again and again, from two sources and in any order, is told once."""

import itertools
import time
import uuid

import pytest

from schemas.events import to_json
from schemas.fields import SECOND
from schemas.spool import SpoolWriter
from tests.builders import event
from tests.live.days import check_messages, until_sent
from tests.live.running import LiveRun, RelayRun
from tests.servers import ask
from tests.services.relay.receiver import Receiver
from tests.sources import test_kafka

pytestmark = [pytest.mark.flink, pytest.mark.postgres, pytest.mark.kafka, pytest.mark.usefixtures("flink")]


def told_of(number, now):
    """Give what tells of a parcel that it was delivered: twice the carrier, and once, later, an aggregator."""
    order, waybill = f"o{number}", f"t{number}"
    scanned = event("carrier_scanned", now - 90 * SECOND, order, waybill, carrier="post")
    carrier = event("delivered", now - 30 * SECOND, order, waybill, carrier="post", id=f"carrier-{number}")
    other = event("delivered", now - 10 * SECOND, order, waybill, carrier="post", id=f"aggregator-{number}")
    return [to_json(one) for one in (scanned, carrier, other)]


def test_delivered_three_times_from_two_sources_is_one_message(dsn, broker, tmp_path):
    topic = f"news{uuid.uuid4().hex[:8]}"
    test_kafka.make(broker, topic)
    now = time.time_ns() // 1000
    # Who tells it when: every order of two from the one source and one from the other.
    orders = list(itertools.permutations(("spool carrier", "kafka carrier", "kafka other")))
    spool = f"spool://{tmp_path / 'spool'}"
    with SpoolWriter(tmp_path / "spool") as writer, Receiver() as receiver:
        inputs = [spool, f"kafka://{broker.address}/{topic}?readers=1"]
        with LiveRun(tmp_path, inputs, dsn, None) as running, RelayRun(tmp_path, dsn, receiver.url):
            for number, _ in enumerate(orders):
                writer.append([told_of(number, now)[0]])
            for turn in range(3):
                for number, order in enumerate(orders):
                    source, who = order[turn].split()
                    line = told_of(number, now)[1 if who == "carrier" else 2]
                    if source == "spool":
                        writer.append([line])
                    else:
                        test_kafka.send(broker, topic, [line], number % 4)
                # What comes together may be read together: here each is to come by itself.
                time.sleep(0.5)
            until = time.monotonic() + 90
            while read(running) < 4 * len(orders):
                assert running.runs() and time.monotonic() < until, running.said()[-3000:]
                time.sleep(0.5)
            until_sent(dsn)
            repeated = check_messages(dsn, receiver)
    rows = ask(dsn, "select order_id, count(*) from outbox where milestone = 'delivered' group by 1 order by 1")
    assert rows == [(f"o{number}", 1) for number, _ in enumerate(orders)]
    assert len(receiver.requests) == 2 * len(orders) and repeated == 0
    delivered = ask(
        dsn, "select distinct (extract(epoch from delivered_at) * 1000000)::bigint from order_fulfillment_live"
    )
    assert delivered == [(now - 30 * SECOND,)]


def read(running) -> int:
    """Give how many lines a run says it has read."""
    return sum(said["lines"] for said in running.lines("checkpoint"))
