"""The stream of lines as it arrives: some twice, some out of order, some hours late, some spoilt."""

import random
from collections import defaultdict
from typing import BinaryIO

from pipelines.simulate.clock import write_time
from pipelines.simulate.journey import Journey, Step
from pipelines.simulate.spoilt import spoil
from schemas.fields import DAY, HOUR, MINUTE, SECOND, Micros
from schemas.stages import CARRIER_STAGES

DUPLICATES, DISORDERLY, LATE, SPOILT = 0.02, 0.05, 0.01, 0.001
"""Shares of the events: sent twice, held up by minutes, held up by hours, followed by a line nobody can read."""

_ID_STEP = 0x9E3779B97F4A7C15
"""Odd, so that multiples of it differ modulo 2**64: identifiers without a pattern, none of them twice."""


class Stream:
    """The lines of events.jsonl in the order of arrival. Holds only those that have not arrived yet."""

    def __init__(self, seed: int, sink: BinaryIO) -> None:
        """Take where the lines go; the noise has a randomness of its own, so that it leaves the plan alone."""
        self.rng = random.Random(f"noise {seed}")
        self.sink = sink
        self.arriving: defaultdict[int, list[tuple[Micros, int, str]]] = defaultdict(list)
        self.rejections: list[tuple[str, str]] = []
        self.sent = self.events = self.duplicates = self.disorderly = self.late = 0

    def send(self, journey: Journey, steps: list[Step]) -> None:
        """Send these events of a parcel."""
        carrier, rng = journey.carrier, self.rng
        shop_part, carrier_part = _shop_part(journey), _carrier_part(journey)
        for step in steps:
            if not step.told:
                continue
            by_carrier = step.stage in CARRIER_STAGES
            arrives = step.ts + self._delay(by_carrier)
            self.events += 1
            event_id = f"{self.events * _ID_STEP & 0xFFFFFFFFFFFFFFFF:016x}"
            tail = _tail(step, carrier.zone if by_carrier else (0, 0))
            if by_carrier:
                tail = f'{carrier_part}{tail},"received_ts":"{write_time(arrives - arrives % 1000)}"'
            else:
                by_shop = step.stage != "cancelled" or step.successor is not None
                tail = f"{shop_part if by_shop else carrier_part}{tail}"
                if step.stage == "labeled" or step.successor is not None:
                    tail = f'{tail},"carrier":"{carrier.name}"'
            line = f'{{"event_id":"{event_id}"{tail}}}'
            self._put(arrives, line)
            if rng.random() < DUPLICATES:
                self.duplicates += 1
                self._put(arrives + int((1 + rng.expovariate(1 / 600)) * SECOND), line)
            if rng.random() < SPOILT:
                self._spoil(journey, step, arrives)

    def flush(self, before: Micros | None = None) -> None:
        """Write the lines of the days before the one of `before`; nothing that arrives earlier may be sent later."""
        for day in sorted(self.arriving):
            if before is None or day < before // DAY:
                lines = sorted(self.arriving.pop(day))
                self.sink.write("".join(f"{line}\n" for _, _, line in lines).encode())

    def _put(self, arrives: Micros, line: str) -> None:
        self.sent += 1
        self.arriving[arrives // DAY].append((arrives, self.sent, line))

    def _delay(self, by_carrier: bool) -> int:
        rng = self.rng
        chance = rng.random()
        if chance < LATE:
            self.late += 1
            return int((2 + rng.random() * 28) * HOUR)
        if chance < LATE + DISORDERLY:
            self.disorderly += 1
            return int((2 + rng.random() * 38) * MINUTE)
        return int((2 + rng.random() * 43 if by_carrier else 0.1 + rng.random() * 3) * SECOND)

    def _spoil(self, journey: Journey, step: Step, arrives: Micros) -> None:
        reason, line = spoil(self.rng, len(self.rejections), journey, step)
        self.rejections.append((reason, line))
        self._put(arrives + int(self.rng.random() * MINUTE), line)


def _shop_part(journey: Journey) -> str:
    promise = f',"promised_delivery_ts":"{write_time(journey.first_promise)}"' if journey.first_promise else ""
    return (
        f',"order_id":"{journey.order_id}","customer_id":"{journey.customer_id}"'
        f',"warehouse_id":"{journey.warehouse.name}","tracking_number":"{journey.tracking_number}"{promise}'
        f',"origin_region":"{journey.warehouse.region}","dest_region":"{journey.dest}"'
        f',"declared_value":{journey.declared_value},"currency":"{journey.warehouse.currency}"'
    )


def _carrier_part(journey: Journey) -> str:
    echo = ""
    if journey.carrier.echoes:
        echo = f',"customer_id":"{journey.customer_id}","warehouse_id":"{journey.warehouse.name}"'
    return (
        f',"order_id":"{journey.order_id}","carrier":"{journey.carrier.name}"'
        f',"tracking_number":"{journey.tracking_number}"{echo}'
    )


def _tail(step: Step, zone: tuple[int, int]) -> str:
    tail = f',"stage":"{step.stage}","event_ts":"{write_time(step.ts, zone)}"'
    if step.reason is not None:
        tail += f',"reason":"{step.reason}"'
    if step.hub is not None:
        tail += f',"hub":"{step.hub}"'
    if step.successor is not None:
        tail += f',"successor":"{step.successor}"'
    if step.promise is not None:
        tail += f',"promised_delivery_ts":"{write_time(step.promise, zone)}"'
    return tail
