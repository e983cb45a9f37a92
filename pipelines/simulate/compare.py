"""What the files and the live side say of one parcel, held against each other: what differs, and whose word counts."""

from collections.abc import Iterator
from typing import NamedTuple, Optional

from pipelines.simulate.hubs import Filed
from pipelines.simulate.journey import Step
from pipelines.simulate.reckon import Times
from schemas.fields import MINUTE, Micros
from schemas.stages import CLOSING_STAGES, CRITICAL_STAGES, RANK

TOLERANCE = 10 * MINUTE
"""Times no farther apart than this are one time."""

_ENDS = ("delivered", "returned", "lost", "cancelled", "failed")


class Difference(NamedTuple):
    """One finding about a parcel."""

    finding: str
    milestone: str
    live_ts: Optional[Micros]
    batch_ts: Optional[Micros]
    scans: int
    counts: str
    why: str


def compare(sent: list[Step], scans: list[Filed]) -> tuple[list[Difference], list[Filed]]:
    """Compare a parcel's live events with its scans up to the horizon.

    Returns:
        The differences, among them every scan that is in no file, whether or not there was a file to hold it;
        and the scans that become events.
    """
    labeled = min((step.ts for step in sent if step.stage == "labeled"), default=None)
    live: dict[str, set[Micros]] = {}
    for step in sent:
        if step.stage in CRITICAL_STAGES:
            live.setdefault(step.stage, set()).add(step.ts)
    told: dict[str, dict[Micros, Filed]] = {}
    for scan in scans:
        if scan.stage in CRITICAL_STAGES:
            told.setdefault(scan.stage, {}).setdefault(scan.ts, scan)
    differences: list[Difference] = []
    fed: list[Filed] = []
    for stage in live.keys() | told.keys():
        at = told.get(stage, {})
        found, times = _of_stage(stage, live.get(stage, set()), set(at), labeled)
        differences += found
        fed += [at[ts] for ts in times]
    return sorted(differences), sorted(fed, key=lambda scan: (scan.ts, scan.stage))


def _of_stage(
    stage: str, live: set[Micros], told: set[Micros], labeled: Optional[Micros]
) -> tuple[list[Difference], list[Micros]]:
    """Compare the times of one stage; give the differences, and the times of the scans that become events."""
    if not told:
        return [Difference("missed_batch", stage, min(live), None, 0, "live", "only the live side knows it")], []
    plausible = {ts for ts in told if labeled is None or ts >= labeled - TOLERANCE}
    if not live and not plausible:
        why = "the file puts it before the label"
        return [Difference("time_conflict", stage, None, min(told), len(told), "", why)], []
    alone = sorted(ts for ts in plausible if all(abs(ts - event) > TOLERANCE for event in live))
    missed = alone[: max(0, len(told) - len(live))]
    found, fed = [], list(missed)
    if missed:
        first = min(live, default=None)
        why = "only the file knows it"
        found.append(Difference("missed_live", stage, first, missed[0], len(missed), "batch", why))
    if live:
        batch, known = min(told), min(live | set(missed))
        if abs(batch - known) > TOLERANCE:
            earlier = batch < known
            counts, why = "live", "the earliest counts"
            if earlier and batch in plausible:
                counts = "batch"
                fed.append(batch)
            elif earlier:
                why = "the file puts it before the label"
            found.append(Difference("time_conflict", stage, known, batch, len(told), counts, why))
    return found, fed


def afterwards(times: Times, scans: list[Filed]) -> Iterator[Difference]:
    """Give what was scanned up to the horizon after the journey had ended, by stage.

    Args:
        times: of all events, those out of files too.
        scans: in the order of time.
    """
    ended = min((times[stage] for stage in _ENDS if stage in times), default=None)
    back, home = times.get("return_started"), times.get("returned")
    late: dict[str, list[tuple[Micros, Micros]]] = {}
    for scan in scans:
        if scan.stage not in CLOSING_STAGES:
            end = ended if back is None or scan.ts < back else home
            if end is not None and scan.ts > end + TOLERANCE:
                late.setdefault(scan.stage, []).append((scan.ts, end))
    for stage, found in late.items():
        first, end = found[0]
        yield Difference("after_terminal", stage, end, first, len(found), "live", "the journey had ended")


def unknown(scans: list[Filed]) -> Difference:
    """Give the one thing to say of the scans of a parcel that nobody knows."""
    highest = max((scan.stage for scan in scans), key=RANK.__getitem__)
    first = min(scan.ts for scan in scans)
    return Difference("unknown_waybill", highest, None, first, len(scans), "", "no event tells whose it is")
