"""Lines that cannot be taken: each has one fault, its own identifier, and stands beside a sound event, not for it."""

import random
from collections.abc import Callable

from pipelines.simulate.clock import write_time
from pipelines.simulate.journey import Journey, Step


def _broken(rng: random.Random, head: str, waybill: str, stage: str, when: str) -> str:
    whole = f'{head},"stage":"{stage}","event_ts":"{when}",{waybill}}}'
    return whole[: int(len(head) + rng.random() * (len(whole) - len(head)))]


def _incomplete(rng: random.Random, head: str, waybill: str, stage: str, when: str) -> str:
    return rng.choice(
        (
            f'{head},"event_ts":"{when}",{waybill}}}',
            f'{head},"stage":"{stage}",{waybill}}}',
            f'{head},"stage":"{stage}","event_ts":"{when}"}}',
        )
    )


def _strange_stage(rng: random.Random, head: str, waybill: str, stage: str, when: str) -> str:
    stage = rng.choice(("teleported", "on_the_moon", f"{stage}ish"))
    return f'{head},"stage":"{stage}","event_ts":"{when}",{waybill}}}'


def _naive(rng: random.Random, head: str, waybill: str, stage: str, when: str) -> str:
    return f'{head},"stage":"{stage}","event_ts":"{when[:19]}",{waybill}}}'


def _mistyped(rng: random.Random, head: str, waybill: str, stage: str, when: str) -> str:
    wrong = rng.choice(('"declared_value":"12,50"', '"customer_id":{"id":7}', '"hub":["NTH-1"]'))
    return f'{head},"stage":"{stage}","event_ts":"{when}",{waybill},{wrong}}}'


def _bad_carrier(rng: random.Random, head: str, waybill: str, stage: str, when: str) -> str:
    carrier = rng.choice(("../../etc/passwd", "north/line", "parcel..way", "<b>thrift</b>", "x" * 80))
    return f'{head},"stage":"{stage}","event_ts":"{when}",{waybill},"carrier":"{carrier}"}}'


def _absurd(rng: random.Random, head: str, waybill: str, stage: str, when: str) -> str:
    return f'{head},"stage":"{stage}","event_ts":"9999{when[4:]}",{waybill}}}'


_FAULTS: dict[str, Callable[[random.Random, str, str, str, str], str]] = {
    "malformed_json": _broken,
    "missing_field": _incomplete,
    "unknown_stage": _strange_stage,
    "naive_timestamp": _naive,
    "wrong_type": _mistyped,
    "invalid_carrier": _bad_carrier,
    "absurd_timestamp": _absurd,
}
_REASONS = tuple(_FAULTS)


def spoil(rng: random.Random, number: int, journey: Journey, step: Step) -> tuple[str, str]:
    """Make the `number`th spoilt line out of an event: why it is rejected, and the line."""
    reason = _REASONS[number % len(_REASONS)]
    head = f'{{"event_id":"bad-{number:06}"'
    # No carrier: nothing may say which zone a naive time is in.
    waybill = f'"order_id":"{journey.order_id}","tracking_number":"{journey.tracking_number}"'
    return reason, _FAULTS[reason](rng, head, waybill, step.stage, write_time(step.ts))
