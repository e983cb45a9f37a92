"""The end of a parcel's life: attempts, pickup points, doors, and the way back."""

from itertools import accumulate

from pipelines.simulate.journey import Journey
from schemas.fields import DAY, HOUR, MINUTE

AT_THE_DOOR = (
    "consignee_not_home",
    "consignee_business_closed",
    "consignee_incorrect_address",
    "consignee_access_restricted",
    "consignee_not_available",
    "consignee_refused",
)
_AT_THE_DOOR_SO_FAR = list(accumulate((46, 14, 12, 8, 14, 6)))
_ATTEMPTS = 3


def deliver(journey: Journey, fails: bool) -> None:
    """Try to deliver, up to three times; then a pickup point or the way back. A parcel that `fails` is given up."""
    rng, carrier = journey.rng, journey.carrier
    if rng.random() < 0.03:
        _to_pickup_point(journey)
        return
    for _ in range(_ATTEMPTS):
        _go_out(journey)
        if rng.random() < carrier.stalls:
            # Back to the depot at night, and nobody says so.
            journey.now += 12 * HOUR
            continue
        if not fails and rng.random() >= carrier.attempt_fails:
            _hand_over(journey)
            return
        reason = rng.choices(AT_THE_DOOR, cum_weights=_AT_THE_DOOR_SO_FAR)[0]
        journey.tell("attempt_failed", _door_time(journey), reason=reason)
        if fails:
            journey.tell("failed", HOUR + int(rng.random() * 6 * HOUR), reason=reason)
            if rng.random() < 0.12:
                _go_out(journey)
                _hand_over(journey)
            return
        if reason == "consignee_refused":
            break
    else:
        if rng.random() < 0.6:
            _to_pickup_point(journey)
            return
    send_back(journey, HOUR + int(rng.random() * 20 * HOUR), "consignee_not_available")


def send_back(journey: Journey, after: int, reason: str) -> None:
    """Send the parcel back to the shop; some carriers call its coming home a delivery."""
    rng = journey.rng
    journey.tell("return_started", after, reason=reason)
    journey.scan("in_transit", int((10 + rng.random() * 30) * HOUR))
    home = journey.to_hour(8, 18, least=DAY + int(rng.random() * 4 * DAY))
    if rng.random() < 0.25:
        journey.tell("delivered", home)
        home = int((10 + rng.random() * 300) * MINUTE)
    journey.tell("returned", home)


def _go_out(journey: Journey) -> None:
    promise = None
    late = journey.promise is not None and journey.now > journey.promise
    if late and journey.rng.random() < 0.5:
        journey.postpone(1 + (journey.now - (journey.promise or 0)) // DAY)
        promise = journey.promise
    after = journey.to_hour(6.5, 9.5)
    if promise is None:
        journey.scan("out_for_delivery", after)
    else:
        journey.tell("out_for_delivery", after, promise=promise)


def _door_time(journey: Journey) -> int:
    """Give the microseconds to a moment of the driver's round: most before five, the last before eight."""
    end = journey.now // DAY * DAY + 20 * HOUR
    return int((0.08 + 0.9 * journey.rng.betavariate(1.7, 2.3)) * (end - journey.now))


def _hand_over(journey: Journey) -> None:
    rng = journey.rng
    journey.tell("delivered", _door_time(journey))
    chance = rng.random()
    if chance < 0.006:
        # The driver's device says it once more.
        journey.tell("delivered", int((1 + rng.random() * 20) * MINUTE))
    elif chance < 0.014:
        journey.backlog(int(rng.random() * 10 * HOUR))
    elif chance < 0.044:
        send_back(journey, DAY + int(rng.random() * 8 * DAY), "consignee_cancelled")


def _to_pickup_point(journey: Journey) -> None:
    rng = journey.rng
    journey.tell("available_for_pickup", journey.to_hour(9, 18))
    if rng.random() < 0.85:
        journey.tell("delivered", journey.to_hour(8, 20, least=int(rng.random() * 4 * DAY)))
    else:
        send_back(journey, 7 * DAY + int(rng.random() * DAY), "consignee_not_available")
