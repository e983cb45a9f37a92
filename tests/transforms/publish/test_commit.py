"""What waited for a commit since before an upgrade is written as what came after it."""

from schemas.fields import to_batch
from schemas.policy import Policy
from schemas.tables import EVENTS, MILESTONES
from tests.builders import event
from tests.transforms.publish.rows import held, scans
from transforms.publish.commit import NO_ALERTS, commit
from transforms.publish.lake import Lake


def test_batches_without_the_columns_that_came_later(tmp_path):
    lake = Lake(tmp_path / "lake").check(create=True)
    before = to_batch(scans(2), EVENTS.row_schema).drop_columns(list(EVENTS.later))
    told = event("cancelled", "10:00", "o9", "t9", successor="t8")
    for gathered in ([before], [before, to_batch([told], EVENTS.row_schema)]):
        commit(lake, [(EVENTS.name, batch) for batch in gathered], Policy(), NO_ALERTS)
    assert [(row[1], row[-1]) for row in held(lake, EVENTS)] == [("o9", "t8"), ("o0", None), ("o1", None)]
    assert [row[:3] for row in held(lake, MILESTONES)] == [
        ("o0", "t0", "in_transit"), ("o1", "t1", "in_transit"), ("o9", "t9", "cancelled")
    ]  # fmt: skip
