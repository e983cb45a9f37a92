"""Every class that crosses between workers has a deterministic coder, and comes back as itself."""

import pickle

import apache_beam as beam
import msgspec
import pyarrow as pa
import pytest

from schemas.coders import ROWS, RecordBatchCoder, StructCoder
from schemas.fields import to_batch
from schemas.lines import LineBlock
from schemas.rows import Alert, Rejection, Visit
from schemas.tables import EVENTS
from tests.builders import event

SAMPLES = {
    LineBlock: LineBlock("file", 1, b"{}\n\xff", 7),
    Alert: Alert("a1", "raised", "o1", "t1", "sla_breached", 1, 2, "why ‮ 🚚"),
    Visit: Visit("v1", "o1", "t1", 1, 2, 3, ["h1", "h2"], None, True),
    Rejection: Rejection("r1", "too_deep", "", b"\x00\xff", 2, "file", 1, -5),
}


def test_there_is_a_sample_of_every_row():
    assert set(SAMPLES) == set(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.__name__)
def test_a_row_comes_back_as_itself(row):
    coder = beam.coders.registry.get_coder(row)
    sample = SAMPLES[row]
    back = coder.decode(coder.encode(sample))
    assert type(back) is row
    assert back == sample
    assert coder.encode(back) == coder.encode(sample)
    assert coder.is_deterministic()
    assert coder.to_type_hint() is row


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.__name__)
def test_a_coder_travels_to_workers(row):
    coder = beam.coders.registry.get_coder(row)
    other = pickle.loads(pickle.dumps(coder))
    assert other == coder == StructCoder(row)
    assert hash(other) == hash(coder)
    assert other.decode(coder.encode(SAMPLES[row])) == SAMPLES[row]
    assert StructCoder(row) != StructCoder(next(r for r in ROWS if r is not row))


def test_a_row_of_another_class_is_not_taken_for_one():
    with pytest.raises(msgspec.ValidationError):
        StructCoder(Alert).decode(StructCoder(Visit).encode(SAMPLES[Visit]))


@pytest.mark.parametrize("rows", [0, 1, 500])
def test_a_batch_comes_back(rows):
    coder = beam.coders.registry.get_coder(pa.RecordBatch)
    assert isinstance(coder, RecordBatchCoder)
    batch = to_batch([event("picked", id=f"e{n}", hub="h" if n % 2 else None) for n in range(rows)], EVENTS.row_schema)
    back = coder.decode(coder.encode(batch))
    assert back.equals(batch)
    assert back.schema.equals(batch.schema)
    assert not coder.is_deterministic()
    assert pickle.loads(pickle.dumps(coder)).decode(coder.encode(batch)).equals(batch)


def test_a_slice_of_a_batch_is_coded_without_the_rest():
    whole = to_batch([event("picked", id=f"{n:099}") for n in range(1000)], EVENTS.row_schema)
    coder = RecordBatchCoder()
    assert len(coder.encode(whole.slice(10, 5))) < len(coder.encode(whole)) // 4
    assert coder.decode(coder.encode(whole.slice(10, 5))).equals(whole.slice(10, 5))
