"""The spool's folder: what its writer leaves there, and what is done for good."""

import os

import pytest

from schemas.spool import Place, SpoolError, SpoolWriter, delete_done, note_done, read_done, segment_path, segments


def test_a_group_is_there_when_append_returns(tmp_path):
    with SpoolWriter(tmp_path / "spool") as writer:
        writer.append([b"one", b"two"])
        assert segment_path(tmp_path / "spool", 1).read_bytes() == b"one\ntwo\n"
        writer.append([])
        writer.append([b"three"])
    assert segment_path(tmp_path / "spool", 1).read_bytes() == b"one\ntwo\nthree\n"


def test_segments_roll_and_a_new_writer_begins_a_new_one(tmp_path):
    with SpoolWriter(tmp_path, segment_bytes=10) as writer:
        for _ in range(5):
            writer.append([b"sixth"])
    assert segments(tmp_path) == [1, 2, 3]
    with SpoolWriter(tmp_path) as writer:
        assert segments(tmp_path) == [1, 2, 3]
        writer.append([b"x"])
    assert segments(tmp_path) == [1, 2, 3, 4]


def test_one_process_writes(tmp_path):
    with SpoolWriter(tmp_path), pytest.raises(SpoolError, match="Another process"):
        SpoolWriter(tmp_path)
    SpoolWriter(tmp_path).close()


def test_a_line_end_within_a_line_is_refused(tmp_path):
    with SpoolWriter(tmp_path) as writer, pytest.raises(ValueError, match="no line end"):
        writer.append([b"a\nb"])
    assert segments(tmp_path) == []


def test_after_a_failed_write_a_new_segment_begins(tmp_path, monkeypatch):
    real = os.write
    with SpoolWriter(tmp_path) as writer:
        writer.append([b"whole"])

        def full(file, data):
            if len(data) > 3:
                return real(file, data[:3])
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space"):
            writer.append([b"torn"])
        monkeypatch.undo()
        writer.append([b"again"])
    assert segment_path(tmp_path, 1).read_bytes() == b"whole\ntor"
    assert segment_path(tmp_path, 2).read_bytes() == b"again\n"


def test_what_is_done_is_noted_never_goes_back_and_may_be_deleted(tmp_path):
    assert read_done(tmp_path) is None and delete_done(tmp_path) == 0
    with SpoolWriter(tmp_path, segment_bytes=1) as writer:
        for _ in range(4):
            writer.append([b"x"])
    note_done(tmp_path, Place(3, 2, 1))
    note_done(tmp_path, Place(2, 9, 9))
    assert read_done(tmp_path) == Place(3, 2, 1)
    assert delete_done(tmp_path) == 2 and segments(tmp_path) == [3, 4]
    note_done(tmp_path, Place(9))
    assert delete_done(tmp_path) == 1 and segments(tmp_path) == [4]
    # A number is never used again, whatever has been deleted.
    segment_path(tmp_path, 4).unlink()
    with SpoolWriter(tmp_path) as writer:
        writer.append([b"x"])
    assert segments(tmp_path) == [10]
