"""The view of every alert in its latest state: more evidence moves it forward, and what was never raised is none."""

from pipelines.query import open_lake
from schemas.alerts import cleared, raised, retracted
from schemas.fields import HOUR
from tests.builders import MONDAY
from tests.pipelines.lakes import put


def test_each_alert_that_was_raised_is_in_its_latest_state_and_no_other_is_there(lake):
    never, once, still = (raised(order, "t1", "pick_pack_delay", MONDAY, "e") for order in ("o1", "o2", "o3"))
    put(lake, "alerts", retracted(never, MONDAY), retracted(once, MONDAY))
    put(lake, "alerts", once, still, cleared(still, MONDAY + HOUR, "packed"))
    with open_lake(lake.path) as db:
        found = db.sql("select order_id, state from latest_alerts order by order_id").fetchall()
        assert found == [("o2", "retracted"), ("o3", "cleared")]
        assert db.sql("select order_id from current_alerts").fetchall() == [("o3",)]
