"""Hub legs: how long a parcel stayed at each hub, from the scans of its waybill.

A leg is a run of scans at one hub. Another hub ends it, and so does an in-scan once the parcel has left: by an
out-scan, or seen at a customer's door, or awaited by nobody any more. A scan on the way that still names the hub just
left begins no new leg. What a missing scan would have told is inferred and marked so: without an in-scan the first scan
stands in for it, without an out-scan the next sighting that shows the parcel elsewhere.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.stages import at_or_beyond

HUB_STAGES = ("hub_in", "in_transit", "hub_out")
"""Stages of a scan at a hub, in the order in which those of one moment can have happened."""

GONE_STAGES = at_or_beyond("out_for_delivery")
"""Stages that show a parcel is at no hub."""

IN, ON_THE_WAY, OUT, GONE = range(4)
"""Kinds of sightings: the stages of HUB_STAGES by their place, and any of GONE_STAGES."""

LEGS = pa.schema(
    [
        pa.field("tracking_number", pa.string()),
        pa.field("hub", pa.string()),
        pa.field("in_ts", pa.int64()),
        pa.field("out_ts", pa.int64()),
        pa.field("in_inferred", pa.bool_()),
        pa.field("out_inferred", pa.bool_()),
        pa.field("scans", pa.int64()),
    ]
)

_Numbers = npt.NDArray[np.int64]
_Marks = npt.NDArray[np.bool_]


def legs_of(sightings: pa.Table) -> pa.Table:
    """Give the legs of all waybills, in order.

    Args:
        sightings: columns tracking_number, hub, ts (microseconds) and kind, sorted by tracking_number, ts, kind, hub.
            The hub of a sighting that is of kind GONE says nothing.
    """
    sightings = sightings.combine_chunks()
    size = sightings.num_rows
    if not size:
        return LEGS.empty_table()
    ts: _Numbers = sightings["ts"].to_numpy()
    kind = sightings["kind"].to_numpy()
    place = np.arange(size)
    at_hub: _Marks = kind != GONE
    first = _first_of_run(sightings["tracking_number"])
    begins = np.maximum.accumulate(np.where(first, place, 0))
    before_hub = _before(at_hub, begins)
    before_gate = _before(kind != ON_THE_WAY, begins)
    out = (before_gate >= 0) & np.isin(kind[before_gate], (OUT, GONE))
    elsewhere = _differs(sightings["hub"], place, before_hub)
    starts = at_hub & ((before_hub < 0) | elsewhere | ((kind == IN) & out))
    # A sighting elsewhere before the first scan at a hub belongs to no leg.
    counted = at_hub | (before_hub >= 0)
    leg = np.cumsum(starts) - 1
    at: _Numbers = np.flatnonzero(starts)
    ends = _ends(ts, kind, leg, counted, at, begins)
    return pa.table(
        [
            sightings["tracking_number"].take(at),
            sightings["hub"].take(at),
            ts[at],
            pa.array(ends.out_ts, mask=ends.out_ts == _NEVER),
            kind[at] != IN,
            ends.inferred & (ends.out_ts != _NEVER),
            np.bincount(leg[at_hub], minlength=len(at)),
        ],
        schema=LEGS,
    )


_NEVER = np.iinfo(np.int64).max


class _Ends:
    """When each leg ended, and whether that is inferred."""

    def __init__(self, out_ts: _Numbers, inferred: _Marks) -> None:
        self.out_ts, self.inferred = out_ts, inferred


def _ends(ts: _Numbers, kind: _Numbers, leg: _Numbers, counted: _Marks, at: _Numbers, begins: _Numbers) -> _Ends:
    left = np.full(len(at), -1)
    outs = np.flatnonzero(kind == OUT)
    # Of several assignments to one place the last counts: the latest out-scan, and, backwards, the first sighting gone.
    left[leg[outs]] = ts[outs]
    shown = np.full(len(at), _NEVER)
    gone = np.flatnonzero((kind == GONE) & counted)[::-1]
    shown[leg[gone]] = ts[gone]
    follows = np.append(begins[at][1:] == begins[at][:-1], False)
    next_in = np.where(follows, np.append(ts[at][1:], _NEVER), _NEVER)
    scanned = left >= 0
    return _Ends(np.where(scanned, left, np.minimum(shown, next_in)), ~scanned)


def _first_of_run(column: pa.ChunkedArray) -> _Marks:
    """Mark the rows that differ from the one before."""
    values = column.chunk(0)
    same = pc.equal(values.slice(1), values.slice(0, len(values) - 1)).to_numpy(zero_copy_only=False)
    marks: _Marks = np.concatenate(([True], ~same))
    return marks


def _before(marked: _Marks, begins: _Numbers) -> _Numbers:
    """Give the place of the last marked row before each row, of the same waybill; -1 where there is none."""
    last = np.maximum.accumulate(np.where(marked, np.arange(len(marked)), -1))
    before = np.concatenate(([-1], last[:-1]))
    return np.where(before >= begins, before, -1)


def _differs(hubs: pa.ChunkedArray, place: _Numbers, other: _Numbers) -> _Marks:
    """Mark the rows whose hub is not that of another row; False where there is no other."""
    codes = hubs.chunk(0).dictionary_encode().indices.fill_null(-1).to_numpy(zero_copy_only=False)
    marks: _Marks = (other >= 0) & (codes[place] != codes[other])
    return marks
