"""What each sender's payload says, in the shape that its documents describe."""

import json

import pytest

from schemas.fields import parse_time, to_micros, to_text
from services.gateway.senders.sender import Malformed, Successor
from tests.services.gateway.senders.world import NEW, NOW, TRIALS, changed, fixture


def parse(kind, body, **options):
    """Parse a body as a sender of this kind, with some options."""
    trial = TRIALS[kind]
    return trial._replace(options={**trial.options, **options}).sender(NEW).parse(body, NOW)


def told(parsed):
    """Give what events say, shortly: stage, reason, time, hub."""
    return [
        (event.stage, event.reason, to_text(to_micros(event.event_ts)).removeprefix("2026-03-"), event.hub)
        for event in parsed.events
    ]


def one(parsed, field):
    """Give what all events say in a field; they agree."""
    (value,) = {getattr(event, field) for event in parsed.events}
    return value


def test_easypost_tells_its_whole_history():
    parsed = parse("easypost", fixture("easypost"))
    assert told(parsed) == [
        ("labeled", None, "02T14:36:00Z", None),
        ("carrier_scanned", None, "02T20:11:00Z", "HOUSTON"),
        ("hub_in", None, "03T04:15:00Z", "NORTH HOUSTON"),
        ("hub_out", None, "03T09:40:00Z", "NORTH HOUSTON"),
        ("out_for_delivery", None, "05T13:10:00Z", "CHARLESTON"),
        ("delivered", None, "05T18:30:00Z", "CHARLESTON"),
    ]
    assert (one(parsed, "carrier"), one(parsed, "tracking_number")) == ("usps", "9400100000000000000001")
    assert to_text(to_micros(one(parsed, "promised_delivery_ts"))) == "2026-03-07T01:00:00Z"
    assert one(parsed, "order_id") is None
    assert parsed.unknown == {"in_transit/moon_phase": 1}


def test_easypost_sends_back_what_is_damaged_and_says_so_when_it_came_back():
    parsed = parse("easypost", fixture("easypost_return"))
    assert told(parsed) == [
        ("exception", "carrier_damaged_parcel", "03T10:00:00Z", "LEIPZIG"),
        ("failed", None, "03T10:00:00Z", "LEIPZIG"),
        ("return_started", None, "04T10:00:00Z", None),
        ("return_started", None, "06T10:00:00Z", None),
        ("returned", None, "06T10:00:00Z", None),
    ]
    assert one(parsed, "carrier") == "dhl_express"


def test_a_parcel_on_its_way_back_has_not_come_back_yet():
    parsed = parse("easypost", changed("easypost_return", result__finalized=False))
    assert [event.stage for event in parsed.events][-2:] == ["return_started", "return_started"]


def test_easypost_speaks_of_other_things_than_trackers_too():
    parsed = parse("easypost", json.dumps({"description": "batch.created", "result": {"id": "batch_1"}}).encode())
    assert (parsed.events, parsed.ignored) == ([], 1)


def test_the_delivery_of_a_return_label_is_no_delivery_to_a_customer():
    parsed = parse("easypost", changed("easypost", result__is_return=True))
    stages = [event.stage for event in parsed.events]
    assert stages == ["return_started"] * 4 + ["returned"]


def test_aftership_tells_its_checkpoints_and_who_goes_on():
    parsed = parse("aftership", fixture("aftership"))
    assert told(parsed) == [
        ("carrier_scanned", None, "02T09:00:00Z", "MUMBAI"),
        ("hub_in", None, "03T05:30:00Z", "LEIPZIG"),
        ("exception", "customs_delay", "04T05:30:00Z", "LEIPZIG"),
        ("attempt_failed", "consignee_not_available", "05T09:02:00Z", "BERLIN"),
        ("out_for_delivery", None, "06T07:15:00Z", "BERLIN"),
        ("delivered", None, "06T12:26:40Z", "BERLIN"),
    ]
    assert (one(parsed, "carrier"), one(parsed, "order_id")) == ("dhl_express", "SHOP-1001")
    assert to_text(to_micros(one(parsed, "promised_delivery_ts"))) == "2026-03-07T21:00:00Z"
    assert parsed.unknown == {"Exception_014": 1}
    promise = parse_time("2026-03-07T21:00:00Z")
    since = parse_time("2026-03-06T12:26:40Z"), "SHOP-1001", promise
    assert parsed.successors == (Successor("dhl_express", "1234567890", "gls", "GLS5550001", *since),)


def test_a_waybill_that_its_own_carrier_goes_on_with_is_reissued():
    parsed = parse("aftership", fixture("aftership").replace(b'"gls"', b'"dhl"'))
    (event,) = (event for event in parsed.events if event.successor)
    assert (event.stage, event.reason, event.successor) == ("cancelled", "carrier_reissued", "GLS5550001")
    assert (event.carrier, event.tracking_number, event.order_id) == ("dhl_express", "1234567890", "SHOP-1001")
    assert to_text(to_micros(event.event_ts)) == "2026-03-06T12:26:40Z"


def test_a_reissue_of_which_nothing_tells_the_time_is_no_event():
    body = changed("aftership", msg__checkpoints=[]).replace(b'"gls"', b'"dhl"')
    parsed = parse("aftership", body)
    assert (parsed.events, len(parsed.successors)) == ([], 1)


def test_aftership_reads_a_time_without_a_zone_only_where_the_carrier_s_zone_is_set():
    with pytest.raises(Malformed, match=r"^checkpoint_time has no zone$"):
        parse("aftership", fixture("aftership_naive"))
    parsed = parse("aftership", fixture("aftership_naive"), zones={"ups": "America/New_York"})
    assert told(parsed) == [("hub_out", None, "03T11:30:00Z", "LOUISVILLE")]


def test_shippo_tells_its_history_and_its_newest_status_once():
    parsed = parse("shippo", fixture("shippo"))
    assert told(parsed) == [
        ("labeled", None, "02T10:00:00Z", None),
        ("carrier_scanned", None, "02T18:00:00Z", "San Francisco"),
        ("in_transit", None, "03T18:00:00Z", "Reno"),
        ("exception", "consignee_incorrect_address", "05T09:00:00Z", "Chicago"),
        ("out_for_delivery", None, "06T08:00:00Z", "Chicago"),
        ("delivered", None, "06T16:00:00Z", "Chicago"),
    ]
    assert (one(parsed, "carrier"), one(parsed, "promised_delivery_ts")) == ("fedex", None)
    assert (parsed.unknown, parsed.ignored) == ({"other": 1}, 2)


def test_shipengine_says_of_one_event_that_it_was_delivered_and_damaged():
    parsed = parse("shipengine", fixture("shipengine"))
    assert told(parsed) == [
        ("delivered", None, "06T16:20:00Z", "AUSTIN"),
        ("exception", "carrier_damaged_parcel", "06T16:20:00Z", "AUSTIN"),
        ("out_for_delivery", None, "06T13:00:00Z", "AUSTIN"),
        ("in_transit", None, "05T23:00:00Z", "AUSTIN"),
        ("hub_in", None, "05T20:00:00Z", "AUSTIN"),
        ("carrier_scanned", None, "03T20:00:00Z", "DALLAS"),
        ("labeled", None, "03T09:00:00Z", None),
    ]
    assert (one(parsed, "carrier"), parsed.unknown) == ("ups", {"UN": 1})


def test_shiprocket_trusts_the_label_and_notes_an_id_that_disagrees():
    parsed = parse("shiprocket", fixture("shiprocket"))
    hub = "Mumbai_Chandivali_PC (Maharashtra)"
    assert told(parsed) == [
        ("labeled", None, "02T06:35:00Z", hub),
        ("carrier_scanned", None, "02T13:10:11Z", hub),
        ("hub_in", None, "04T01:40:00Z", "Pune_Hub (Maharashtra)"),
        ("exception", "carrier_damaged_parcel", "04T03:40:00Z", "Pune_Hub (Maharashtra)"),
        ("out_for_delivery", None, "06T03:30:00Z", None),
        ("delivered", None, "06T10:32:36Z", None),
    ]
    assert (one(parsed, "carrier"), one(parsed, "tracking_number")) == ("delhivery", "19041424751540")
    assert one(parsed, "order_id") == "SHOP-1002"
    assert (parsed.unknown, parsed.doubtful, parsed.ignored) == ({"99/teleported": 1}, {"25/damaged": 1}, 1)


def test_shiprocket_s_newest_status_is_not_told_beside_the_scan_that_tells_it():
    parsed = parse("shiprocket", changed("shiprocket", current_status="Out for Delivery", current_status_id=17))
    assert [event.stage for event in parsed.events].count("out_for_delivery") == 1


def test_shiprocket_s_return_ends_at_the_shop():
    parsed = parse("shiprocket", fixture("shiprocket_return"))
    assert told(parsed) == [("return_started", None, "06T06:30:00Z", "Pune"), ("returned", None, "08T04:30:00Z", None)]
    assert (one(parsed, "carrier"), one(parsed, "order_id")) == ("xpressbees", "R-77")


def test_delhivery_delivers_to_the_customer_or_back():
    parsed = parse("delhivery", fixture("delhivery"))
    assert told(parsed) == [("delivered", None, "06T10:31:29.123000Z", "Pune_Kharadi_D (Maharashtra)")]
    assert (one(parsed, "carrier"), one(parsed, "order_id")) == ("delhivery", "SHOP-1003")
    parsed = parse("delhivery", fixture("delhivery_return"))
    assert told(parsed) == [("returned", None, "09T10:31:29Z", "Mumbai_Hub")]
    assert one(parsed, "order_id") is None


def test_blue_dart_names_the_zone_of_each_scan_and_has_a_flat_form():
    parsed = parse("blue_dart", fixture("blue_dart"))
    assert told(parsed) == [
        ("hub_in", None, "02T22:40:00Z", "BOM"),
        ("hub_out", None, "02T23:45:00Z", "BOM"),
        ("attempt_failed", "consignee_not_available", "05T06:00:00Z", "PNQ"),
        ("delivered", None, "06T10:31:00Z", "PNQ"),
        ("returned", None, "06T11:30:00Z", "BOM"),
    ]
    assert [event.tracking_number for event in parsed.events] == ["59612345670"] * 4 + ["59612345671"]
    assert [event.order_id for event in parsed.events] == ["SHOP-1004"] * 4 + [None]
    assert parsed.unknown == {"T/777": 1}


@pytest.mark.parametrize("zone", ["PST", "", None])
def test_blue_dart_s_zone_must_be_one_of_two(zone):
    body = changed("blue_dart", statustracking__1__Shipment__StatusTimeZone=zone)
    with pytest.raises(Malformed, match=r"^StatusTimeZone is no zone$"):
        parse("blue_dart", body)


def test_clickpost_s_z_means_the_time_of_india():
    parsed = parse("clickpost", fixture("clickpost"))
    hub = "Pune_Kharadi_D (Maharashtra)"
    assert told(parsed) == [
        ("attempt_failed", "consignee_not_available", "05T06:00:00Z", hub),
        ("out_for_delivery", None, "05T06:40:00Z", hub),
    ]
    assert (one(parsed, "carrier"), one(parsed, "order_id")) == ("delhivery", "SHOP-1005")


def test_clickpost_s_courier_that_is_not_set_leaves_the_order_to_go_by():
    assert one(parse("clickpost", fixture("clickpost"), carriers={}), "carrier") is None
    with pytest.raises(Malformed, match="cp_id"):
        parse("clickpost", fixture("clickpost"), carriers={}, order_reference=False)


def test_ups_decides_by_all_parts_of_its_code_and_reads_either_pair_of_times():
    parsed = parse("ups", fixture("ups"))
    assert told(parsed) == [("delivered", None, "06T15:20:05Z", "ATLANTA")]
    assert (one(parsed, "carrier"), one(parsed, "tracking_number")) == ("ups", "1Z999AA10000000002")
    assert told(parse("ups", fixture("ups_local"))) == [("out_for_delivery", None, "05T12:15:00Z", None)]
    loaded = parse("ups", changed("ups", activityStatus__code="LD", activityStatus__descriptionCode="072"))
    assert [event.stage for event in loaded.events] == ["in_transit"], "a type D that delivers nothing"


def test_ups_without_any_zone_is_refused():
    with pytest.raises(Malformed, match=r"^gmtOffset is no offset$"):
        parse("ups", changed("ups_local", gmtOffset=None))


def test_seventeen_track_names_the_carrier_by_its_provider_unless_it_is_set():
    parsed = parse("seventeen_track", fixture("seventeen_track"))
    assert told(parsed) == [
        ("delivered", None, "06T12:26:40Z", "BERLIN"),
        ("attempt_failed", "consignee_incorrect_address", "05T09:02:00Z", "BERLIN"),
        ("carrier_scanned", None, "03T10:02:00Z", None),
    ]
    assert (one(parsed, "carrier"), parsed.unknown) == ("dhl_express", {"Exception_Eaten": 1})
    assert one(parse("seventeen_track", fixture("seventeen_track"), carriers={"100001": "dhl"}), "carrier") == "dhl"


def test_seventeen_track_that_stopped_tracking_tells_nothing():
    parsed = parse("seventeen_track", b'{"event": "TRACKING_STOPPED", "data": {"number": "X1", "carrier": 3}}')
    assert (parsed.events, parsed.ignored) == ([], 1)


def test_the_generic_sender_reads_what_its_configuration_says():
    parsed = parse("generic", fixture("generic"))
    assert told(parsed) == [
        ("carrier_scanned", None, "02T13:10:00Z", "Ahmedabad"),
        ("exception", "carrier_damaged_parcel", "04T03:45:00Z", "Surat"),
        ("cancelled", "carrier_reissued", "05T03:50:00Z", None),
    ]
    assert [event.successor for event in parsed.events] == [None, None, "SA-550099"]
    assert (one(parsed, "carrier"), one(parsed, "tracking_number")) == ("shree_anjani", "SA-550012")
    assert one(parsed, "order_id") == "SHOP-1006"
    assert to_text(to_micros(one(parsed, "promised_delivery_ts"))) == "2026-03-07T18:30:00Z"
    assert (parsed.unknown, parsed.ignored) == ({"CLOUDED/": 1}, 1)
    assert [said[:4] for said in parsed.successors] == [("shree_anjani", "SA-550012", "shree_anjani", "SA-550099")]


@pytest.mark.parametrize("kind", ["aftership", "shiprocket", "delhivery", "generic"])
def test_a_reference_that_is_not_the_shop_s_is_not_taken_for_the_order(kind):
    assert one(parse(kind, fixture(kind), order_reference=False), "order_id") is None
