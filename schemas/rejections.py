"""Rejections: why a record cannot be taken. The reasons are a closed vocabulary; the detail is free text."""

import hashlib

from schemas.fields import Micros
from schemas.rows import Rejection

REASONS = {
    "malformed_json": "the line is no JSON",
    "invalid_utf8": "the line is no UTF-8 text",
    "not_an_object": "the line is JSON but no object",
    "too_deep": "the JSON is nested too deeply",
    "too_large": "the record is larger than the policy allows",
    "missing_field": "a required field is missing",
    "wrong_type": "a field has the wrong type",
    "invalid_value": "a field has a value that cannot be taken",
    "unknown_stage": "the stage is not in the vocabulary",
    "unknown_code": "the carrier's profile does not know the code",
    "invalid_carrier": "the carrier's name is no plain name",
    "naive_timestamp": "a time has no zone",
    "invalid_timestamp": "a time cannot be read",
    "absurd_timestamp": "a time lies outside any parcel's life",
    "future_timestamp": "the event lies in the future of the horizon",
    "malformed_row": "the line has more or fewer fields than the header",
    "wrong_header": "the file's header is not that of its carrier",
    "cut_off": "the file's last line has no end, so more may be missing",
    "wrong_trailer": "the file's last line does not tell the number of rows that it has",
    "too_many_bad_rows": "the share of bad rows is above what its carrier's profile allows",
    "unreadable_file": "the file cannot be read to its end",
    "unknown_waybill": "no event ever told which order the waybill belongs to",
}

KEPT_BYTES = 16 * 1024 * 1024
"""Raw bytes kept of one rejected record."""


class Rejected(Exception):
    """A record that cannot be taken, for a named reason. Only this becomes a rejection; other errors fail the job."""

    def __init__(self, reason: str, detail: str = "") -> None:
        """Name the reason (a key of REASONS) and the detail."""
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


def rejection(fault: Rejected, raw: bytes, source: str, position: int, received_ts: Micros) -> Rejection:
    """Make the row of a rejection. Its identity is its content: the same bad record sent twice is one row."""
    identity = hashlib.blake2b(raw, digest_size=12, person=fault.reason.encode()[:16]).hexdigest()
    return Rejection(identity, fault.reason, fault.detail, raw[:KEPT_BYTES], len(raw), source, position, received_ts)
