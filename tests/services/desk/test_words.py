"""What a customer is told: what is known, what is not, and nothing else."""

import datetime
import doctest

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.alerts import KINDS
from schemas.fields import DAY, HOUR, MINUTE
from schemas.stages import STAGES
from services import rates, tokens
from services.desk import choice, guesses, pages, stories, words
from services.desk.rows import Parcel
from services.desk.words import clock_of, tell_customer
from tests.builders import at

CLOCK = clock_of(datetime.UTC)
NOW = at("12:00", 2)


def parcel(stage="carrier_scanned", **said):
    """Make a parcel of which little is known."""
    known = {"order_id": "the order", "tracking_number": "T1", "warehouse_id": "the warehouse", "carrier": "A"}
    known |= {"current_stage": stage, "updated_at": NOW} | said
    return Parcel(**dict.fromkeys(Parcel._fields) | known)


def told(stage="carrier_scanned", alerts=(), **said):
    """Tell of it."""
    return tell_customer(parcel(stage, **said), set(alerts), NOW, CLOCK)


@pytest.mark.parametrize(
    ("said", "promise"),
    [
        ({}, "No delivery time has been promised, and we do not know when it will arrive."),
        ({"promised_delivery_ts": at("18:00", 2)}, "Promised for 4 March 2026, 18:00 UTC."),
        (
            {"promised_delivery_ts": at("14:00", 2), "alerts": ["sla_at_risk"]},
            "Promised for 4 March 2026, 14:00 UTC. It may come later than that.",
        ),
        (
            {"promised_delivery_ts": at("09:30", 1)},
            "Late by 1 day 2 hours so far: it was promised for 3 March 2026, 09:30 UTC. We do not know when it will arrive.",
        ),
        (
            {"promised_delivery_ts": at("11:00", 2), "latest_promised_delivery_ts": at("18:00", 3)},
            "Late by 1 hour so far: it was promised for 4 March 2026, 11:00 UTC. The newest time that we were given is "
            "5 March 2026, 18:00 UTC.",
        ),
        (
            {"promised_delivery_ts": at("11:00", 2), "latest_promised_delivery_ts": at("11:30", 2)},
            "Late by 1 hour so far: it was promised for 4 March 2026, 11:00 UTC. The newest time that we were given is "
            "4 March 2026, 11:30 UTC. We do not know when it will arrive.",
        ),
        (
            {"stage": "delivered", "delivered_at": at("11:00", 2), "closed_at": at("11:00", 2)},
            "No delivery time had been promised.",
        ),
        (
            {"stage": "delivered", "delivered_at": at("11:00", 2), "promised_delivery_ts": at("11:00", 2)},
            "On time: it was promised for 4 March 2026, 11:00 UTC.",
        ),
        (
            {"stage": "delivered", "delivered_at": at("11:05", 2), "promised_delivery_ts": at("11:00", 2)},
            "Late by 5 minutes: it was promised for 4 March 2026, 11:00 UTC.",
        ),
        (
            {"stage": "lost", "closed_at": at("11:05", 2), "promised_delivery_ts": at("18:00", 2)},
            "It is not on its way to you any more.",
        ),
        (
            {"stage": "available_for_pickup", "available_for_pickup_at": at("11:05", 2), "promised_delivery_ts": at("09:00", 2)},
            "It was promised for 4 March 2026, 09:00 UTC. It waits for you to pick it up.",
        ),
    ],
)  # fmt: skip
def test_the_promise_is_told_as_it_was_given_and_kept(said, promise):
    assert told(**said).promise == promise


@pytest.mark.parametrize(
    ("said", "notes"),
    [
        ({}, []),
        (
            {"exception_at": at("09:00"), "exception_reason": "customs_delay"},
            ["The carrier reported a problem: customs holds it up."],
        ),
        ({"exception_at": at("09:00")}, ["The carrier did not tell us what the problem is."]),
        ({"exception_at": at("09:00"), "out_for_delivery_at": at("10:00")}, []),
        (
            {"attempt_failed_at": at("09:00"), "attempt_failed_reason": "consignee_not_home"},
            [
                "The carrier could not deliver it: nobody was at home.",
                "We do not know yet when the carrier will try again.",
            ],
        ),
        ({"alerts": ["label_scan_delay"]}, ["The carrier has not told us yet that it has the parcel."]),
        ({"alerts": ["pick_pack_delay"]}, ["Packing takes longer than it should."]),
        ({"alerts": ["silent_high_value"]}, ["Nothing was heard of it for a long time. Somebody looks into it."]),
        (
            {"alerts": ["last_mile_delay", "silent_high_value"], "out_for_delivery_at": at("10:00")},
            ["It has been out for delivery since 2 March 2026, 10:00 UTC, and nothing was heard since."],
        ),
        ({"alerts": ["label_scan_delay"], "closed_at": at("10:00"), "exception_at": at("09:00")}, []),
    ],
)
def test_trouble_and_silence_are_told_while_the_parcel_is_awaited(said, notes):
    assert told(**said).notes == notes


def test_what_happened_is_told_the_newest_first_and_without_what_lies_ahead():
    way = told(packed_at=at("09:00"), carrier_scanned_at=at("10:00"), out_for_delivery_at=NOW + HOUR).milestones
    assert [(one.what, one.at) for one in way] == [
        ("Handed to the carrier", at("10:00")),
        ("Packed", at("09:00")),
    ]


def test_times_are_the_customers_own():
    india = clock_of(words.datetime.timezone(datetime.timedelta(hours=5, minutes=30), "IST"))
    assert india(at("20:00")) == "3 March 2026, 01:30 IST"


times = st.none() | st.integers(0, 4 * 24 * 60).map(lambda minutes: at("00:00") + minutes * MINUTE)
parcels = st.builds(
    Parcel,
    **{
        name: times
        for name in Parcel._fields
        if name.endswith(("_at", "_ts"))
    },
    order_id=st.just("<the order>"),
    tracking_number=st.just("T1"),
    warehouse_id=st.just("<the warehouse>"),
    carrier=st.just("<the carrier>"),
    current_stage=st.sampled_from(sorted(STAGES)),
    exception_reason=st.sampled_from([None, "carrier_<b>", "=1+1", "retailer_internal note"]),
    attempt_failed_reason=st.sampled_from([None, "consignee_<i>", "customs_x"]),
)  # fmt: skip


@given(parcels, st.sets(st.sampled_from(KINDS)), st.integers(0, 5 * DAY).map(lambda ts: at("00:00") + ts))
def test_no_time_is_made_up_and_no_word_is_passed_on(given_parcel, kinds, now):
    one = tell_customer(given_parcel, kinds, now, lambda ts: f"<{ts}>")
    text = " ".join([one.headline, one.promise, *one.notes, *(milestone.what for milestone in one.milestones)])
    known = {f"<{ts}>" for ts in (given_parcel.promised_delivery_ts, given_parcel.latest_promised_delivery_ts,
                                  given_parcel.out_for_delivery_at)}  # fmt: skip
    for said in known:
        text = text.replace(said, "")
    assert not set("<>=_") & set(text)
    assert all(milestone.at <= now for milestone in one.milestones)


@given(parcels, st.sets(st.sampled_from(KINDS)))
def test_on_time_is_said_of_no_parcel_that_was_not(given_parcel, kinds):
    one = tell_customer(given_parcel, kinds, NOW, CLOCK)
    promise, delivered = given_parcel.promised_delivery_ts, given_parcel.delivered_at
    assert one.promise.startswith("On time") == (None not in (promise, delivered) and delivered <= promise)
    if delivered is None and promise is None:
        assert not one.promise.startswith(("Late", "Promised"))


@pytest.mark.parametrize("module", [choice, guesses, pages, rates, stories, tokens, words])
def test_examples(module):
    result = doctest.testmod(module)
    assert result.failed == 0 < result.attempted
