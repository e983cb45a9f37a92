"""The load generator: what it sends is what senders send, to this machine alone, and what it prints is true."""

import json

import pytest

from pipelines.cli import main
from pipelines.errors import UsageError
from schemas.clock import WALL
from schemas.fields import SECOND, to_text
from services.gateway.senders.registry import KINDS, make
from services.gateway.senders.sender import Delivery, Forged
from services.load.command import loopback
from services.load.parcels import JOURNEY, parcel
from services.load.retries import RETRIES, retries
from services.load.run import Tally
from services.load.shapes import SHAPES
from tests.services.gateway.conftest import KEY, SECRET, spooled
from tests.services.gateway.processes import ENVIRONMENT, Process

STAGES = {
    "blue_dart": ("hub_in", "hub_out", "hub_in", "hub_out", "delivered"),
    "clickpost": ("carrier_scanned", "hub_in", "in_transit", "out_for_delivery", "delivered"),
    "shiprocket": ("carrier_scanned", "hub_in", "in_transit", "out_for_delivery", "delivered"),
}
"""What is told where a sender has no code for leaving a hub, or none that is known."""
USUAL = ("carrier_scanned", "hub_in", "hub_out", "out_for_delivery", "delivered")


OPTIONS = {
    "generic": {
        "header": "x-signature",
        "fields": {
            "tracking_number": "parcel.waybill",
            "code": ["state", "detail"],
            "time": "at",
            "order_id": "parcel.order",
            "place": "where",
            "entries": "news.list",
        },
        "carrier": "post_of_b",
        "codes": [
            {"stage": "exception", "codes": ["X/*"], "reason": "carrier_damaged_parcel"},
            {"stage": "carrier_scanned", "codes": ["A/1"]},
            {"stage": "hub_in", "codes": ["H/in"]},
            {"stage": "hub_out", "codes": ["H/out", "H/off"]},
            {"stage": "out_for_delivery", "codes": ["D/*"]},
            {"stage": "delivered", "codes": ["E/done"]},
        ],
    }
}


def deliver(kind, step, **options):
    """Give what the generator sends, as the gateway sees it, and the parcel."""
    now = WALL.now()
    one = parcel(7, "A", now)
    request = SHAPES[kind](one, step, SECRET, OPTIONS.get(kind, {}) | options, now)
    query = dict(part.split("=") for part in request.query.split("&") if part)
    return Delivery(request.headers, query, request.body, now), one


@pytest.mark.parametrize("step", range(len(JOURNEY)), ids=JOURNEY)
@pytest.mark.parametrize("kind", SHAPES)
def test_adapters_read_every_step_of_every_shape(kind, step):
    delivery, one = deliver(kind, step)
    sender = make(kind, kind, [SECRET], OPTIONS.get(kind, {}))
    sender.verify(delivery)
    parsed = sender.parse(delivery.body, delivery.received_ts)
    newest = max(parsed.events, key=lambda event: event.event_ts)
    assert (newest.stage, newest.tracking_number) == (STAGES.get(kind, USUAL)[step], one.tracking_number)
    # Some tell no seconds.
    assert to_text(one.at(step))[:16] == newest.event_ts.isoformat()[:16]
    assert not parsed.unknown and not parsed.doubtful


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("aftership", {"header": "as-signature-hmac-sha256"}),
        ("blue_dart", {"header": "authorization", "scheme": "basic"}),
        ("blue_dart", {"header": "licence-key", "client_id": "me"}),
        ("delhivery", {"scheme": "bearer"}),
        ("shippo", {"proof": "token", "token": "key"}),
        ("ups", {"client_id": "me"}),
    ],
)
def test_proofs_follow_what_is_set_of_a_sender(kind, options):
    delivery, _ = deliver(kind, 0, **options)
    make(kind, kind, [SECRET], options).verify(delivery)
    with pytest.raises(Forged):
        make(kind, kind, ["another"], options).verify(delivery)


@pytest.mark.parametrize(
    "options",
    [
        {"algorithm": "sha512", "encoding": "base64", "prefix": "sha512="},
        {"signed": "timestamp.body", "timestamp_header": "x-time", "timestamp": "unix_ms"},
        {"signed": "timestamp.body", "timestamp_header": "x-time", "timestamp": "iso", "time": "unix"},
        {"signed": "id.timestamp.body", "timestamp_header": "x-time", "id_header": "x-id", "time": "unix_ms"},
        {"time": "%d.%m.%Y %H:%M:%S", "zone": "Europe/Berlin"},
        {"codes": [{"stage": "in_transit", "codes": ["T/t"]}]},
    ],
)
def test_a_sender_by_configuration_is_played_as_it_is_configured(options):
    said = OPTIONS["generic"] | options
    delivery, one = deliver("generic", 1, **options)
    sender = make("generic", "b", [SECRET], said)
    sender.verify(delivery)
    (event,) = sender.parse(delivery.body, delivery.received_ts).events
    assert (event.tracking_number, event.carrier) == (one.tracking_number, "post_of_b")
    assert event.stage == ("in_transit" if "codes" in options else "hub_in")
    assert to_text(one.at(1)) == to_text(int(event.event_ts.timestamp()) * SECOND)
    with pytest.raises(Forged):
        make("generic", "b", ["another"], said).verify(delivery)


def test_there_is_a_shape_for_each_sender_whose_shape_and_proof_are_known():
    assert KINDS.keys() - SHAPES.keys() == {"shipengine"}
    assert RETRIES.keys() <= SHAPES.keys()


def waits(kind, status=None):
    """Give all waits of a sender that never gets 2xx."""
    found, patience = [], retries(kind)
    while (wait := patience.again(status, len(found) + 1)) is not None:
        found.append(wait)
    return found


def test_senders_try_again_as_they_document():
    assert (len(waits("easypost")), len(waits("shippo")), len(waits("blue_dart"))) == (6, 2, 3)
    assert sum(waits("aftership")) == 245_730 and len(waits("aftership")) == 13
    assert waits("seventeen_track") == [600, 1800, 3600]
    assert waits("shippo", 401) == [] and len(waits("shippo", 503)) == 2


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "http://localhost:8080/", "http://[::1]:8080"])
def test_this_machine(url):
    assert loopback(url)[1] == 8080


@pytest.mark.parametrize(
    "url",
    ["http://10.0.0.1:80", "http://example.org", "https://127.0.0.1", "127.0.0.1:80", "http://127.0.0.1:x",
     "http://127.0.0.1.example.org", "http://localhost:80/path", ""],
)  # fmt: skip
def test_any_other_machine_is_refused(url):
    with pytest.raises(UsageError, match="is no gateway on this machine"):
        loopback(url)


def test_figures_are_those_of_what_was_measured():
    tally = Tally()
    tally.latencies = [number / 1000 for number in range(1, 201)]
    tally.accepted = 200
    report = tally.report(4.0)
    assert [report[name] for name in ("p50_ms", "p95_ms", "p99_ms", "max_ms")] == [100, 190, 198, 200]
    assert report["accepted_per_s"] == 50
    assert Tally().report(0.0)["p99_ms"] == 0


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    """A gateway."""
    folder = tmp_path_factory.mktemp("gateway")
    with Process(folder, f"spool://{folder}/spool") as running:
        yield running


@pytest.fixture
def load(process, monkeypatch, capsys):
    """Send a load to it; give exit code and what was printed."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)

    def run(*words, url=process.url):
        code = main(["load", "--url", url, "--config", str(process.config), *words])
        told = capsys.readouterr()
        return code, told.out + told.err

    return run


def test_as_many_requests_as_told(load, process, tmp_path):
    before = len(spooled(process.folder / "spool"))
    code, said = load(
        "--sender", "delhivery", "--requests", "60", "--rate", "0", "--ledger", str(tmp_path / "l"), "--json"
    )
    figures = json.loads(said)
    assert code == 0
    assert (figures["updates"], figures["accepted"], figures["answers"]) == (60, 60, {"200": 60})
    assert sum(figures["per_second"]) == 60
    told = spooled(process.folder / "spool")[before:]
    noted = [json.loads(line) for line in (tmp_path / "l").read_text().splitlines()]
    assert {(one["tracking_number"], one["event_ts"][:19]) for one in noted} == {
        (one["tracking_number"], one["event_ts"][:19]) for one in told
    }
    assert len(told) == len(noted) == 60


def test_for_as_long_as_told_at_the_rate_told(load):
    code, said = load("--rate", "50", "--seconds", "1", "--json")
    assert code == 0 and json.loads(said)["updates"] == 50


def test_all_senders_take_turns_and_it_can_be_read_by_people(load):
    code, said = load("--requests", "20", "--rate", "0")
    assert code == 0 and "accepted         20" in said and "p99_ms" in said


def test_what_nobody_takes_waits_for_its_next_attempt(load):
    code, said = load("--requests", "5", "--rate", "0", "--sender", "easypost", "--json", url="http://127.0.0.1:1")
    figures = json.loads(said)
    assert code == 0 and figures["answers"] == {"none": 5} and (figures["accepted"], figures["waiting"]) == (0, 5)


def test_what_is_refused_for_good_is_given_up(load, monkeypatch):
    monkeypatch.setenv("EASYPOST_SECRET", "another")
    code, said = load("--requests", "5", "--rate", "0", "--sender", "easypost", "--hasten", "1000000000", "--json")
    figures = json.loads(said)
    assert code == 0 and figures["accepted"] == 0 and figures["answers"].keys() == {"401"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--sender", "nobody"], "There is no sender nobody in the file; there are delhivery, easypost."),
        (["--rate", "-1"], "--rate must not be below 0"),
        (["--hasten", "0"], "--hasten must be above"),
    ],
)
def test_loads_that_cannot_be(load, words, said):
    code, told = load(*words)
    assert code == 2 and "milepost: " in told and (said in told or "must be above it" in told)


def test_senders_that_cannot_be_played(load, process, tmp_path, capsys):
    (tmp_path / "other.toml").write_text("[sender.shipengine]\n")
    words = ["load", "--url", process.url, "--config", str(tmp_path / "other.toml")]
    assert main(words) == 2 and "no sender that can be played" in capsys.readouterr().err
    assert main([*words, "--sender", "shipengine"]) == 2 and "shipengine cannot be played" in capsys.readouterr().err


def test_it_never_says_a_secret(load):
    _, said = load("--requests", "5", "--rate", "0")
    assert SECRET not in said and KEY not in said
