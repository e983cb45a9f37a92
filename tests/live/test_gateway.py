"""From a carrier's webhook to the customer: through the gateway, the live run, Postgres and the relay, all as they run."""

import json
import signal
import time
from collections import Counter

import pytest

from pipelines.query import open_lake
from schemas.clock import WALL
from schemas.fields import HOUR, MINUTE, to_text
from services.load.parcels import JOURNEY, parcel
from services.load.shapes import SHAPES
from tests.builders import wire
from tests.live.days import check_messages, until_sent
from tests.live.running import LiveRun, RelayRun
from tests.servers import ask
from tests.services.gateway.conftest import KEY, SECRET, spooled
from tests.services.gateway.processes import Process
from tests.services.relay.receiver import Receiver

pytestmark = [pytest.mark.flink, pytest.mark.postgres, pytest.mark.usefixtures("flink")]

DELIVERED = JOURNEY.index("delivered")
SHOP = {"x-api-key": KEY, "content-type": "application/json"}


def told_by_shop(one, carrier):
    """Give what the shop tells of a parcel: it alone knows the order of a waybill."""
    said = {"order_id": f"SO-{one.tracking_number}", "tracking_number": one.tracking_number, "carrier": carrier,
            "promised_delivery_ts": to_text(one.began + HOUR)}  # fmt: skip
    return [
        wire(event_id=f"{stage}-{one.tracking_number}", stage=stage, event_ts=to_text(one.began + after), **said)
        for stage, after in (("picked", -20 * MINUTE), ("packed", -10 * MINUTE), ("labeled", -5 * MINUTE))
    ]


def until(true, running, patience=240):
    """Wait until something is true, as long as the live run goes on."""
    end = time.monotonic() + patience
    while not true():
        assert running.runs() and time.monotonic() < end, running.said()[-3000:]
        time.sleep(0.5)


def test_a_delivery_told_three_times_reaches_the_customer_once_and_a_forged_one_nobody(dsn, tmp_path):
    now, spool = WALL.now(), tmp_path / "spool"
    easy, delhi, robbed = (parcel(number, "G", now) for number in range(3))
    webhooks = {
        "easypost": SHAPES["easypost"](easy, DELIVERED, SECRET, {}, now),
        "delhivery": SHAPES["delhivery"](delhi, DELIVERED, SECRET, {}, now),
    }
    forged = SHAPES["easypost"](robbed, DELIVERED, "a guess", {}, now)
    shop = [*told_by_shop(easy, "ups"), *told_by_shop(delhi, "delhivery"), *told_by_shop(robbed, "ups")]

    def statuses():
        return dict(ask(dsn, "select tracking_number, current_stage from order_fulfillment_live"))

    with (
        Process(tmp_path, f"spool://{spool}") as gateway,
        Receiver() as receiver,
        LiveRun(tmp_path, [f"spool://{spool}"], dsn, None) as running,
        RelayRun(tmp_path, dsn, receiver.url),
    ):

        def send():
            for name, request in webhooks.items():
                assert gateway.post(f"/webhooks/{name}", request.body, request.headers) == 200

        assert gateway.post("/events", json.dumps(shop).encode(), SHOP) == 200
        assert gateway.post("/webhooks/easypost", forged.body, forged.headers) == 401
        send()
        send()
        until(lambda: Counter(statuses().values())["delivered"] == 2, running)
        # One that was killed has forgotten what came before: what is told a third time is in the spool again.
        gateway.end(signal.SIGKILL)
        gateway.start()
        send()
        lines = spooled(spool)
        until(lambda: sum(said["lines"] for said in running.lines("checkpoint")) >= len(lines), running)
        until_sent(dsn)
        repeated = check_messages(dsn, receiver)
        with_both = {line["tracking_number"] for line in lines if line["stage"] == "delivered"}
        until(lambda: len(deliveries(running.lake)) == 2, running)
    again = Counter(line["event_id"] for line in lines if line["stage"] == "delivered")
    assert sorted(again.values()) == [2, 2] and with_both == {easy.tracking_number, delhi.tracking_number}
    assert statuses() == {easy.tracking_number: "delivered", delhi.tracking_number: "delivered",
                          robbed.tracking_number: "labeled"}  # fmt: skip
    assert len(ask(dsn, "select 1 from order_fulfillment_live")) == 3
    assert deliveries(running.lake) == sorted(
        (f"SO-{one.tracking_number}", one.tracking_number, one.at(DELIVERED)) for one in (easy, delhi)
    )
    news = ask(dsn, "select order_id, milestone, count(*), min(state) from outbox group by 1, 2 order by 1, 2")
    assert news == [
        *((f"SO-{easy.tracking_number}", milestone, 1, "sent") for milestone in ("delivered", "out_for_delivery", "shipped")),
        (f"SO-{delhi.tracking_number}", "delivered", 1, "sent"),
    ]  # fmt: skip
    assert (len(receiver.requests), repeated) == (4, 0)
    assert robbed.tracking_number not in json.dumps(receiver.bodies())


def deliveries(lake):
    """Give order, waybill and time of each delivery that a lake knows."""
    with open_lake(lake) as db:
        return db.sql(
            "select order_id, tracking_number, epoch_us(event_ts) from events where stage = 'delivered' order by all"
        ).fetchall()
