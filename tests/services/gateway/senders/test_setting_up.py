"""What can be set of senders, and what is said of what cannot."""

import base64
import json
from copy import deepcopy

import pytest

from schemas.fields import parse_time, to_micros
from services.gateway.senders import plain
from services.gateway.senders.options import ConfigError
from services.gateway.senders.registry import KINDS, make
from services.gateway.senders.sender import Malformed
from tests.services.gateway.senders.world import GENERIC, NEW, NOW, TRIALS, fixture

REMOVED = object()


def generic(secret=NEW, **changes):
    """Make the generic sender with some changes; two underscores stand for a dot."""
    options = deepcopy(dict(GENERIC))
    for path, value in changes.items():
        *way, last = path.split("__")
        holder = options
        for step in way:
            holder = holder[step]
        holder.pop(last, None)
        if value is not REMOVED:
            holder[last] = value
    return make("generic", "acme", [secret], options)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"header": REMOVED}, "missing required field `header`"),
        ({"header": "X-Acme"}, "header"),
        ({"heder": "x"}, "unknown field `heder`"),
        ({"fields__tme": "x"}, "unknown field `tme`"),
        ({"fields__time": REMOVED}, "missing required field `time`"),
        ({"fields__code": []}, "length"),
        ({"algorithm": "md5"}, "algorithm"),
        ({"signed": "timestamp.body"}, "id_header must be set if the id is signed, and only then"),
        ({"signed": "body", "id_header": REMOVED}, "timestamp_header must be set if the timestamp is signed, and only then"),
        ({"timestamp_header": REMOVED}, "timestamp_header must be set"),
        ({"carrier": REMOVED, "fields__order_id": REMOVED}, "carrier, fields.carrier or fields.order_id must be set"),
        ({"fields__carrier": "courier"}, "carrier and fields.carrier exclude each other"),
        ({"carrier": "../etc"}, "carrier"),
        ({"zone": "Mars/Olympus"}, "the zone 'Mars/Olympus' is unknown"),
        ({"zone": REMOVED}, "times in a format of their own need a zone"),
        ({"time": "%d of %Q"}, "the time '%d of %Q' is bad"),
        ({"tolerance": "5 parsecs"}, "no duration"),
        ({"tolerance": 5}, "duration"),
        ({"codes": []}, "length"),
        ({"codes": [{"stage": "flown", "codes": ["a/b"]}]}, "the stage 'flown' is unknown"),
        ({"ignored": ["HELD/WET"]}, "both ignored and mapped"),
    ],
)  # fmt: skip
def test_a_generic_sender_that_cannot_be_is_refused_in_one_sentence(changes, fault):
    with pytest.raises(ConfigError) as refusal:
        generic(**changes)
    text = str(refusal.value)
    assert fault in text and text.endswith(".") and "\n" not in text


def test_a_secret_that_should_be_base64_must_be():
    with pytest.raises(ConfigError, match="whsec_") as refusal:
        generic("whsec_!!secret!!")
    assert "!!secret!!" not in str(refusal.value)
    key = base64.b64encode(b"k" * 24).decode()
    TRIAL = TRIALS["generic"]
    generic("whsec_" + key).verify(TRIAL.delivery(b"{}", secret="k" * 24))


@pytest.mark.parametrize(("kind", "options"), [(kind, {"colour": "red"}) for kind in sorted(set(KINDS) - {"generic"})])
def test_what_no_sender_knows_is_refused(kind, options):
    with pytest.raises(ConfigError, match="unknown field `colour`"):
        make(kind, kind, [] if kind == "shipengine" else [NEW], options)


def test_a_kind_that_is_not_known_is_refused_with_those_that_are():
    with pytest.raises(
        ConfigError, match=r"^The kind 'pigeon' of sender is not known; there are aftership, blue_dart, "
    ):
        make("pigeon", "pigeon", [NEW], {})


def entry(**said):
    """Give a body with one entry, for a sender that reads times as it is set to."""
    return json.dumps({"n": "T1", "s": "DONE", "at": "2026-03-02T10:00:00Z", **said}).encode()


def flat(**changes):
    """Make a generic sender of flat bodies."""
    fields = {"tracking_number": "n", "code": ["s"], "time": "at", **changes.pop("fields", {})}
    options = {"header": "x-signature", "carrier": "acme", "fields": fields,
               "codes": [{"stage": "delivered", "codes": ["DONE"]}], **changes}  # fmt: skip
    return make("generic", "acme", [NEW], options)


@pytest.mark.parametrize(
    ("time", "zone", "written", "meant"),
    [
        ("ISO", "", "2026-03-02T10:00:00+05:30", "2026-03-02T04:30:00Z"),
        ("ISO", "Asia/Kolkata", "2026-03-02 10:00", "2026-03-02T04:30:00Z"),
        ("ISO", "Asia/Kolkata", "2026-03-02T10:00:00.5Z", "2026-03-02T10:00:00.5Z"),
        ("unix", "", 1772445600, "2026-03-02T10:00:00Z"),
        ("unix", "", "1772445600", "2026-03-02T10:00:00Z"),
        ("unix_ms", "", 1772445600123, "2026-03-02T10:00:00.123Z"),
        ("%d/%m/%Y %H:%M", "Europe/Berlin", "02/03/2026 10:00", "2026-03-02T09:00:00Z"),
    ],
)
def test_times_are_read_as_they_are_set(time, zone, written, meant):
    (event,) = flat(time=time, zone=zone).parse(entry(at=written), NOW).events
    assert to_micros(event.event_ts) == parse_time(meant)


@pytest.mark.parametrize(
    ("time", "zone", "written"),
    [
        ("ISO", "", "2026-03-02T10:00:00"),
        ("ISO", "", "2026-03-02"),
        ("ISO", "", "2026-02-30T10:00:00Z"),
        ("ISO", "", "20260302T100000Z"),
        ("ISO", "", "1899-03-02T10:00:00Z"),
        ("ISO", "", "1772445600"),
        ("unix", "", "-1"),
        ("unix", "", 10**13),
        ("unix", "", "٣٣"),
        ("unix_ms", "", 1772445600),
        ("%d/%m/%Y %H:%M", "Europe/Berlin", "2/3/2026 10:00"),
        ("%d/%m/%Y %H:%M", "Europe/Berlin", "30/02/2026 10:00"),
        ("%d/%m/%Y %H:%M", "Europe/Berlin", "02/03/2026 10:00 "),
        ("ISO", "", ""),
        ("ISO", "", None),
        ("ISO", "", 1.5),
        ("ISO", "", True),
    ],
)
def test_a_time_that_is_none_is_refused_and_not_repeated(time, zone, written):
    with pytest.raises(Malformed) as refusal:
        flat(time=time, zone=zone).parse(entry(at=written), NOW)
    assert str(refusal.value).startswith("at ")


def test_a_body_may_be_a_list_of_entries():
    body = b"[" + entry() + b"," + entry(n="T2") + b"]"
    assert [event.tracking_number for event in flat().parse(body, NOW).events] == ["T1", "T2"]


def test_an_order_may_say_whose_the_waybill_is():
    sender = flat(carrier=None, fields={"order_id": "order"})
    (event,) = sender.parse(entry(order=7), NOW).events
    assert (event.carrier, event.order_id) == (None, "7")
    with pytest.raises(Malformed, match=r"^order is missing"):
        sender.parse(entry(), NOW)


@pytest.mark.parametrize("number", ["", " ", "a\nb", "\x00", "é1", "x" * 65, "=1", None, [], {"a": 1}])
def test_what_is_no_tracking_number_is_refused(number):
    with pytest.raises(Malformed, match=r"^n is"):
        flat().parse(entry(n=number), NOW)


@pytest.mark.parametrize(
    ("written", "with_service", "name"),
    [
        ("UPS", False, "ups"),
        ("FedEx", False, "fedex"),
        ("DHLExpress", False, "dhl_express"),
        ("dhl_express", False, "dhl_express"),
        ("bluedart", False, "blue_dart"),
        ("Blue Dart", False, "blue_dart"),
        ("shree-anjani", False, "shree_anjani"),
        ("Delhivery Surface 2 Kg", True, "delhivery"),
        ("Delhivery Surface", False, "delhivery_surface"),
        ("Upsilon Post", True, "upsilon_post"),
        ("UPS Mail Innovations", False, "ups_mail_innovations"),
        ("canada-post", False, "canada_post"),
        ("generic", False, "generic"),
        ("..", False, None),
        ("", False, None),
        ("x" * 33, False, None),
    ],
)
def test_a_carrier_has_one_name_whoever_writes_it(written, with_service, name):
    assert plain.carrier_id(written, {}, with_service=with_service) == name


def test_a_carrier_s_name_can_be_set():
    sender = TRIALS["shippo"]._replace(options={"carriers": {"fedex": "fedex_ground"}}).sender(NEW)
    assert {event.carrier for event in sender.parse(fixture("shippo"), NOW).events} == {"fedex_ground"}
    with pytest.raises(ConfigError, match="carriers"):
        make("shippo", "shippo", [NEW], {"carriers": {"fedex": "Fed Ex/"}})
