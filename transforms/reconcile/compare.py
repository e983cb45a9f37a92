"""Compare what came live of one milestone of one parcel with what its carrier's files tell of it: a pure rule.

A webhook that was never sent is known by the files having a scan more than the live side, near which nothing came
live. Where both sides tell of a milestone at times too far apart, the earlier one counts, as among live events; unless
the file puts it before the label was made, when its clock or zone must be wrong.
"""

from collections.abc import Sequence
from typing import NamedTuple

from schemas.fields import Micros

LIVE, BATCH, NEITHER = "live", "batch", ""
MISSED_LIVE, MISSED_BATCH, TIME_CONFLICT = "missed_live", "missed_batch", "time_conflict"

ONLY_FILED, ONLY_TOLD = "only the file knows it", "only the live side knows it"
EARLIEST, BEFORE_LABEL = "the earliest counts", "the file puts it before the label"


class Difference(NamedTuple):
    """How the two sides differ.

    Attributes:
        finding: the kind of difference.
        live_ts: when it first came live, if it did.
        batch_ts: the scan concerned, the first if there are several.
        scans: how many scans are concerned.
        counts: whose time counts, LIVE, BATCH or NEITHER.
        why: the reason.
        fed: times of the scans that are taken as events.
    """

    finding: str
    live_ts: Micros | None
    batch_ts: Micros | None
    scans: int
    counts: str
    why: str
    fed: Sequence[Micros] = ()


def compare(
    told: Sequence[Micros], filed: Sequence[Micros], labeled: Micros | None, tolerance: int
) -> list[Difference]:
    """Give how the two sides differ about one milestone; nothing where they agree.

    Args:
        told: distinct times of the live events, in order.
        filed: distinct times of the scans, in order.
        labeled: when the label was made, as the live side knows it.
        tolerance: microseconds that two times of one thing may lie apart.
    """
    if not filed:
        return [Difference(MISSED_BATCH, told[0], None, 0, LIVE, ONLY_TOLD)] if told else []
    found = []
    plausible = [scan for scan in filed if labeled is None or scan >= labeled - tolerance]
    alone = [scan for scan in plausible if all(abs(scan - event) > tolerance for event in told)]
    missed = alone[: max(len(filed) - len(told), 0)]
    live = told[0] if told else None
    if missed:
        found.append(Difference(MISSED_LIVE, live, missed[0], len(missed), BATCH, ONLY_FILED, missed))
    if not told:
        return found or [Difference(TIME_CONFLICT, None, filed[0], len(filed), NEITHER, BEFORE_LABEL)]
    known = min(told[0], *missed) if missed else told[0]
    if abs(filed[0] - known) > tolerance:
        if filed[0] > known:
            judged = Difference(TIME_CONFLICT, known, filed[0], len(filed), LIVE, EARLIEST)
        elif filed[0] in plausible:
            judged = Difference(TIME_CONFLICT, known, filed[0], len(filed), BATCH, EARLIEST, filed[:1])
        else:
            judged = Difference(TIME_CONFLICT, known, filed[0], len(filed), LIVE, BEFORE_LABEL)
        found.append(judged)
    return found
