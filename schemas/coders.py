"""Beam coders that follow from the row definitions, registered where the classes are known.

Every class that crosses between workers is listed here, with a deterministic coder: without one Beam falls back to
pickling, and a row may come out of another process as a class of another name.
"""

from typing import Any

import apache_beam as beam
import msgspec
import pyarrow as pa

from schemas.lines import LineBlock
from schemas.rows import Alert, Rejection, Visit

ROWS: tuple[type[msgspec.Struct], ...] = (LineBlock, Alert, Visit, Rejection)


class StructCoder(beam.coders.Coder):
    """MessagePack of one row class; the same bytes for equal rows."""

    def __init__(self, row: type[msgspec.Struct]) -> None:
        """Take the class it codes."""
        self.row = row
        self.encoder = msgspec.msgpack.Encoder(order="deterministic")
        self.decoder = msgspec.msgpack.Decoder(row)

    def encode(self, value: Any) -> bytes:  # noqa: ANN401
        """Encode one row."""
        return self.encoder.encode(value)

    def decode(self, encoded: bytes) -> Any:  # noqa: ANN401
        """Decode one row, checking its types."""
        return self.decoder.decode(encoded)

    def is_deterministic(self) -> bool:
        """Say that equal rows have equal bytes, so that a row may be a key."""
        return True

    def to_type_hint(self) -> type[msgspec.Struct]:
        """Give the class it codes."""
        return self.row

    def __reduce__(self) -> tuple[type["StructCoder"], tuple[type[msgspec.Struct]]]:
        """Travel to workers as the class alone."""
        return StructCoder, (self.row,)

    def __eq__(self, other: object) -> bool:
        """Compare by the class it codes."""
        return isinstance(other, StructCoder) and other.row is self.row

    def __hash__(self) -> int:
        """Hash by the class it codes."""
        return hash(self.row)


class RecordBatchCoder(beam.coders.Coder):
    """Arrow IPC, one schema and one batch, zstd; single-threaded, since Beam owns the parallelism."""

    OPTIONS = pa.ipc.IpcWriteOptions(compression=pa.Codec("zstd", 1), use_threads=False)

    def encode(self, value: pa.RecordBatch) -> bytes:
        """Encode one batch."""
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, value.schema, options=self.OPTIONS) as writer:
            writer.write_batch(value)
        return bytes(sink.getvalue())

    def decode(self, encoded: bytes) -> pa.RecordBatch:
        """Decode one batch."""
        with pa.ipc.open_stream(encoded) as reader:
            return reader.read_next_batch()

    def is_deterministic(self) -> bool:
        """Say that batches are no keys: equal rows may be laid out differently."""
        return False


def register() -> None:
    """Register a coder for every class of ROWS and for Arrow batches."""
    for row in ROWS:
        beam.coders.registry.register_coder(row, _coder_of(row))
    beam.coders.registry.register_coder(pa.RecordBatch, RecordBatchCoder)


def _coder_of(row: type[msgspec.Struct]) -> Any:  # noqa: ANN401
    class RowCoder(StructCoder):
        def __init__(self) -> None:
            super().__init__(row)

    return RowCoder


register()
