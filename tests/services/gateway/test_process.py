"""A gateway as a process of its own: slow clients, its end, its death, what it says, and what it refuses to start with."""

import json
import signal
import socket
import threading
import time

import pytest

from schemas.spool import SpoolWriter
from services.serving import HEAD_BYTES
from tests.services.gateway.conftest import KEY, SECRET, delivery, event, spooled
from tests.services.gateway.processes import Process
from tests.services.talking import talk

QUICK = "[limits]\nhead_time = '0.3 s'\nbody_time = '0.3 s'\nidle_time = '1 s'\n"
HEADERS = {"x-api-key": KEY, "content-type": "application/json"}


@pytest.fixture(scope="module")
def quick(tmp_path_factory):
    """A gateway with little patience."""
    folder = tmp_path_factory.mktemp("gateway")
    with Process(folder, f"spool://{folder}/spool", more=QUICK) as running:
        yield running


POST = b"POST /events HTTP/1.1\r\nhost: x\r\nx-api-key: " + KEY.encode() + b"\r\ncontent-type: application/json\r\n"


def test_a_client_that_says_nothing(quick):
    assert "408 " in talk(quick.port) and "too_slow" in talk(quick.port)


def test_a_client_that_drips_its_headers(quick):
    assert "408 " in talk(quick.port, *[b"GET / HTTP/1.1\r\n", *[b"x: y\r\n"] * 8], wait=0.1)


def test_a_client_that_drips_empty_lines(quick):
    assert "408 " in talk(quick.port, *[b"\r\n"] * 8, wait=0.1)


def test_a_client_that_drips_its_body(quick):
    answer = talk(quick.port, POST + b"content-length: 100\r\n\r\n", *[b"x"] * 8, wait=0.1)
    assert "408 " in answer and "application/problem+json" in answer and "connection: close" in answer


def test_a_client_whose_second_request_is_slow(quick):
    first = POST + b"content-length: 2\r\n\r\n[]"
    heard = talk(quick.port, first, b"POST /ev", wait=0.2)
    assert heard.count("HTTP/1.1 ") == 2 and "200 OK" in heard and "408 " in heard


def test_a_client_that_is_silent_after_its_request(quick):
    assert talk(quick.port, POST + b"content-length: 2\r\n\r\n[]").count("HTTP/1.1 ") == 1


def test_headers_without_end(quick):
    pieces = [b"GET / HTTP/1.1\r\n", *[b"x: " + b"y" * 4000 + b"\r\n"] * (HEAD_BYTES // 4000 + 2)]
    assert "400 " in talk(quick.port, *pieces)


def test_too_many_connections(tmp_path):
    with Process(tmp_path, f"spool://{tmp_path}/spool", more="[limits]\nconnections = 3\n") as process:
        held = [socket.create_connection(("127.0.0.1", process.port)) for _ in range(3)]
        answer = talk(process.port)
        assert "503 " in answer and "retry-after: 1" in answer and "busy" in answer
        for connection in held:
            connection.close()
        deadline = time.monotonic() + 10
        while process.post("/events", event(), HEADERS) != 200:
            assert time.monotonic() < deadline


def test_what_is_no_http(quick):
    answer = talk(quick.port, b"\x16\x03\x01 no HTTP at all\r\n\r\n")
    assert "400 " in answer and "application/problem+json" in answer


def test_a_client_that_goes_away_in_the_middle(quick):
    with socket.create_connection(("127.0.0.1", quick.port)) as connection:
        connection.sendall(POST + b"content-length: 100\r\n\r\n{")
    assert quick.post("/events", event(event_id="after"), HEADERS) == 200
    assert "failed" not in quick.said()


def test_a_large_body_in_time_is_read(quick):
    events = json.dumps([{"event_id": "x", "reason": "y" * 1000}] * 900).encode()
    assert quick.post("/events", events, HEADERS) == 422


def test_told_to_stop_it_answers_what_is_in_hand(tmp_path):
    with Process(tmp_path, f"spool://{tmp_path}/spool") as process:
        answered, stop = [], threading.Event()

        def send(worker):
            for number in range(10_000):
                if stop.is_set():
                    return
                try:
                    if process.post("/events", event(event_id=f"{worker}-{number}"), HEADERS) == 200:
                        answered.append(f"{worker}-{number}")
                except OSError:
                    return

        workers = [threading.Thread(target=send, args=(n,)) for n in range(4)]
        for worker in workers:
            worker.start()
        while len(answered) < 50:
            time.sleep(0.01)
        assert process.end() == 0
        stop.set()
        for worker in workers:
            worker.join()
        assert process.said() == ["started", "stopped"]
    assert {line["event_id"] for line in spooled(tmp_path / "spool")} >= set(answered)


def test_killed_it_has_kept_all_that_it_answered(tmp_path):
    process = Process(tmp_path, f"spool://{tmp_path}/spool")
    answered = set()
    for life in range(3):
        with process:
            for number in range(40):
                request = delivery(number, life)
                assert process.post("/webhooks/easypost", request.body, request.headers) == 200
                answered.add((f"LDT{number:08d}", life))
            process.end(signal.SIGKILL)
    kept = spooled(tmp_path / "spool")
    stages = ["carrier_scanned", "hub_in", "hub_out"]
    assert {(line["tracking_number"], stages.index(line["stage"])) for line in kept} == answered


def test_it_never_says_a_secret(tmp_path):
    with Process(tmp_path, f"spool://{tmp_path}/spool") as process:
        request = delivery()
        process.post("/webhooks/easypost", request.body, request.headers)
        process.post("/webhooks/easypost", request.body, {"x-hmac-signature": "hmac-sha256-hex=" + "0" * 64})
        process.post("/webhooks/easypost", b"x", request.headers)
        process.post("/events", event(), HEADERS)
        process.post("/events", event(), HEADERS | {"x-api-key": "wrong"})
        assert process.end() == 0
        assert process.said() == ["started", "unproved", "unproved", "stopped"]
    signature = request.headers["x-hmac-signature"].partition("=")[2]
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert not [secret for secret in (SECRET, KEY, signature) if secret.encode() in path.read_bytes()], path


CONFIG = "[events]\nkeys = ['SHOP_KEY']\n"


@pytest.mark.parametrize(
    ("words", "config", "said"),
    [
        (["--publish", "spool://"], CONFIG, "A spool is named spool://DIR."),
        (["--publish", "spool://x", "--spool", "y"], CONFIG, "needs no other spool"),
        (["--publish", "kafka://h:1/t"], CONFIG, "say where, by --spool DIR."),
        (["--publish", "kafka://h:1/t?no.such=1", "--spool", "y"], CONFIG, "Kafka's library refuses"),
        (["--publish", "file://x"], CONFIG, "is nowhere to publish to"),
        ([], "", "has neither a sender nor a key"),
        ([], "[events]\nkeys = []\n", "cannot be used: Expected `array` of length >= 1"),
        ([], "[events]\nkeys = ['NOT_THERE']\n", "The environment variable NOT_THERE, which the file names, is not set."),
        ([], "[events]\nkeys = ['EMPTY']\n", "The environment variable EMPTY"),
        ([], "[sender.events]\nkind = 'easypost'\nsecrets = ['SHOP_KEY']\n", "A sender cannot be named events."),
        ([], "[sender.x]\nsecrets = ['SHOP_KEY']\n", "The kind 'x' of sender is not known"),
        ([], "[sender.'X/Y']\nsecrets = ['SHOP_KEY']\n", "names no sender"),
        ([], "[sender.easypost]\n", "The sender easypost: The sender needs one secret"),
        ([], "[sender.easypost]\nsecrets = ['SHOP_KEY']\ncolour = 1\n", "colour"),
        ([], "[sender.easypost]\nsecrets = ['SHOP_KEY']\nrate = 0\n", "The sender easypost cannot be used"),
        ([], CONFIG + "[limits]\nbody = 1\n", "cannot be used: Expected `int` >= 1024"),
        ([], CONFIG + "[limits]\nhead_time = 5\n", "expected duration text"),
        ([], "no TOML", "is no TOML"),
        (["--host", "192.0.2.1"], CONFIG, "Nothing can listen at 192.0.2.1:8080"),
    ],
)  # fmt: skip
def test_what_it_cannot_be_started_with(tmp_path, capsys, monkeypatch, words, config, said):
    from pipelines.cli import main

    monkeypatch.setenv("EMPTY", "")
    (tmp_path / "gateway.toml").write_text(config)
    given = ["--config", str(tmp_path / "gateway.toml"), *words]
    publish = [] if "--publish" in words else ["--publish", f"spool://{tmp_path}/spool"]
    assert main(["gateway", *given, *publish]) == 2
    told = capsys.readouterr().err
    assert said in told and told.count("\n") == 1


def test_a_port_that_is_none(capsys):
    from pipelines.cli import main

    with pytest.raises(SystemExit, match="2"):
        main(["gateway", "--publish", "spool://x", "--config", "x", "--port", "99999"])
    assert "'99999' is no port" in capsys.readouterr().err


def test_two_gateways_cannot_write_to_one_spool(tmp_path, capsys):
    from pipelines.cli import main

    (tmp_path / "gateway.toml").write_text(CONFIG)
    with SpoolWriter(tmp_path / "spool"):
        words = ["--publish", f"spool://{tmp_path}/spool", "--config", str(tmp_path / "gateway.toml"), "--port", "0"]
        assert main(["gateway", *words]) == 2
    assert "Another process writes to the spool" in capsys.readouterr().err
