"""The command `milepost desk`: wrong words, links, passwords, and a process that serves and ends in order."""

import http.client
import io
import json
import re
import socket
from contextlib import ExitStack

import pytest

from pipelines.cli import main
from scripts.servers import said
from services.desk.passwords import fits, hash_password, is_hash
from services.desk.server import SPARE
from services.serving import HEAD_BYTES
from tests.builders import MONDAY, event
from tests.services.desk.conftest import TRACK, fill, tell, token
from tests.services.desk.running import serving
from tests.services.talking import talk

KEPT = hash_password("right", 10)
"""Another one each time: in parameters it would name the tests by chance, so there it is @KEPT@."""


@pytest.fixture
def file(database):
    """Give the file of an outbox."""
    return database.removeprefix("sqlite:///")


@pytest.fixture
def run(tmp_path, capsys):
    """Run the command with a configuration; give its code and what it says."""

    def running(*words, config=None):
        more = []
        if config is not None:
            (tmp_path / "desk.toml").write_text(config.replace("@KEPT@", KEPT))
            more = ["--config", str(tmp_path / "desk.toml")]
        code = main(["desk", *words, *more])
        told = capsys.readouterr()
        return code, told.out, told.err

    return running


@pytest.mark.parametrize(
    ("words", "config", "why"),
    [
        ([], None, "Nobody can sign in"),
        (["--open"], None, "Say where parcels are told of"),
        (["--open", "--outbox", "none.db"], None, "There is no file none.db"),
        (["--open", "--listen", "0.0.0.0:8090"], None, "--open lets anybody in"),
        (["--open"], '[users]\nanna = "@KEPT@"\n', "--open lets anybody in"),
        (["--open"], "[proxy]\nuser = 'X-User'\n", "--open lets anybody in"),
        ([], '[users]\nanna = "@KEPT@"\n', "must name the variable of a secret"),
        ([], 'secret = "NOT_SET"\n[users]\nanna = "@KEPT@"\n', "The environment variable NOT_SET"),
        ([], 'secret = "SHORT"\n[users]\nanna = "@KEPT@"\n', "fewer than 32 letters"),
        ([], "[users]\nanna = 'plain'\n", "no hash"),
        ([], '[users]\n"a\\u0000" = "@KEPT@"\n', "cannot be"),
        ([], '[users]\nanna = "@KEPT@"\n[proxy]\nuser = "X-User"\n', "not by both"),
        ([], "[proxy]\naddresses = ['nowhere']\nuser = 'X-User'\n", "addresses cannot be used"),
        (["--open"], TRACK + 'zone = "Nowhere/Town"\n', "There is no zone"),
        (["--open"], TRACK + 'zone = "../../etc/passwd"\n', "There is no zone"),
        (["--open"], TRACK.replace("TRACK_SECRET", "NOT_SET"), "The environment variable NOT_SET"),
        (["--open"], TRACK.replace("https://shop.example", "shop"), "cannot be used"),
        (["--open"], "[desk]\n", "cannot be used"),
        (["link"], TRACK, "Say which tracking number"),
        (["link", "t1"], "", "a part \\[track\\]"),
        (["serve", "t1"], None, "There is no use for t1"),
    ],
)
def test_what_cannot_be_is_one_sentence(run, file, monkeypatch, words, config, why):
    monkeypatch.setenv("SHORT", "x" * 31)
    source = [] if "where parcels" in why or "none.db" in words else ["--outbox", file]
    code, out, err = run(*words, *source, config=config)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert re.search(why, err)


def test_a_lake_that_is_not_there_is_a_failure(run, tmp_path):
    code, _, err = run("--open", "--lake", str(tmp_path / "none"))
    assert code == 1 and "There is no lake" in err


def test_a_link_is_printed_for_one_parcel(run, file, database):
    fill(database, 2)
    tell(database, [event("delivered", MONDAY, order="another", waybill="t1")])
    link = f"https://shop.example/track/t0?t={token('o0', 't0')}\n"
    assert run("link", "t0", "--outbox", file, config=TRACK) == (0, link, "")
    code, out, err = run("link", "t1", "--outbox", file, config=TRACK)
    assert (code, out) == (2, "") and "another, o1" in err
    _, out, _ = run("link", "t1", "--order", "o1", "--outbox", file, config=TRACK)
    assert out.endswith(f"/track/t1?t={token('o1', 't1')}\n")
    assert "No parcel is known" in run("link", "t9", "--outbox", file, config=TRACK)[2]


def test_a_password_is_hashed_another_way_each_time(run, monkeypatch):
    hashes = set()
    for _ in range(2):
        monkeypatch.setattr("sys.stdin", io.StringIO("a secret é\n"))
        code, out, _ = run("password")
        assert code == 0 and is_hash(out.strip())
        assert fits("a secret é", out.strip()) and not fits("a secret e", out.strip())
        hashes.add(out)
    assert len(hashes) == 2
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    assert run("password")[0] == 2


def test_slow_and_endless_clients_are_sent_away(file, tmp_path):
    config = TRACK + "[limits]\nhead_time = '0.3 s'\nstreams = 1\n"
    with serving(tmp_path, "--outbox", file, "--open", config=config) as (base, _):
        port = int(base.rpartition(":")[2])
        assert "408 " in talk(port)
        assert "408 " in talk(port, *[b"GET / HTTP/1.1\r\n", *[b"x: y\r\n"] * 8], wait=0.1)
        assert "400 " in talk(port, b"GET / HTTP/1.1\r\n", *[b"x: " + b"y" * 4000 + b"\r\n"] * (HEAD_BYTES // 4000 + 2))
        assert "400 " in talk(port, b"\x16\x03\x01 no HTTP at all\r\n\r\n")


def test_more_clients_than_there_is_room_for(file, tmp_path):
    with serving(tmp_path, "--outbox", file, "--open", config="[limits]\nstreams = 1\nhead_time = '1 min'\n") as (
        base,
        _,
    ):
        port = int(base.rpartition(":")[2])
        with ExitStack() as held:
            for _ in range(1 + SPARE):
                held.enter_context(socket.create_connection(("127.0.0.1", port)))
            answer = talk(port)
            assert "503 " in answer and "retry-after: " in answer


def test_a_form_that_does_not_come(file, tmp_path):
    head = b"POST /sign-in HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-www-form-urlencoded\r\n"
    with serving(tmp_path, "--outbox", file, "--open", config="[limits]\nbody_time = '0.3 s'\n") as (base, _):
        port = int(base.rpartition(":")[2])
        assert "408 " in talk(port, head + b"content-length: 100\r\n\r\n", *[b"x"] * 8, b"\r\n", wait=0.1)


def test_a_desk_with_live_pages_ends_at_once_and_in_order(database, file, tmp_path):
    fill(database, 2)
    with serving(tmp_path, "--outbox", file, "--open", config=TRACK) as (base, process):
        port = int(base.rpartition(":")[2])
        asked = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        asked.request("GET", f"/track-live/t1?t={token('o1', 't1')}")
        stream = asked.getresponse()
        assert stream.getheader("content-type").startswith("text/event-stream")
        assert stream.readline() == b"retry: 3000\n"
        assert b"event: changed" in b"".join(stream.readline() for _ in range(4))
        process.terminate()
        assert process.wait(30) == 0
        stream.read()
        asked.close()
    told = [json.loads(line)["event"] for line in said(tmp_path / f"desk-{port}.log")]
    assert told == ["started", "stopped"]
