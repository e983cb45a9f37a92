"""The reports that count alerts and rejections."""

import datetime

from pipelines.report import report
from schemas.alerts import cleared, raised, retracted
from schemas.fields import HOUR, MINUTE, parse_time, to_datetime
from schemas.rejections import Rejected, rejection
from tests.pipelines.lakes import put

START = parse_time("2026-03-02T06:00:00Z")


def test_alerts_are_counted_by_kind_and_by_the_latest_state_of_their_life(lake):
    alerts = [raised("O1", f"T{n}", "exception", START + n * 24 * HOUR, "e") for n in range(5)]
    later = [cleared(alerts[0], START + 10 * MINUTE, "x"), cleared(alerts[1], alerts[1].due_ts + 30 * MINUTE, "x")]
    put(lake, "alerts", *alerts, *later, retracted(alerts[2], START + 99 * HOUR))
    (row,) = report("alerts", lake.path).rows.to_pylist()
    assert (row["kind"], row["raised"], row["cleared"], row["open"]) == ("exception", 4, 2, 2)
    assert (row["median_min_to_clear"], row["p90_min_to_clear"], row["parcels"]) == (20.0, 28.0, 4)
    assert row["oldest_open_due_ts"] == to_datetime(alerts[3].due_ts)
    (row,) = report(
        "alerts", lake.path, first=datetime.date(2026, 3, 3), last=datetime.date(2026, 3, 4)
    ).rows.to_pylist()
    assert (row["raised"], row["cleared"], row["open"]) == (1, 1, 0)


def test_rejections_are_counted_by_reason_with_the_newest_as_example(lake):
    bad = Rejected("malformed_json", "no JSON")
    found = [rejection(bad, b"\xff%d" % n, "a.jsonl", n, START + n * 24 * HOUR) for n in (1, 3, 2)]
    put(lake, "rejections", *found, rejection(Rejected("unknown_stage", "lunched"), b"{}", "b.jsonl", 9, START))
    first, second = report("rejections", lake.path).rows.to_pylist()
    assert (first["reason"], first["records"], second["reason"]) == ("malformed_json", 3, "unknown_stage")
    assert (first["example_source"], first["example_position"], first["example_detail"]) == ("a.jsonl", 3, "no JSON")
    assert first["newest_ts"] == to_datetime(START + 72 * HOUR)
    assert report("rejections", lake.path, last=datetime.date(2026, 3, 2)).rows.num_rows == 1
