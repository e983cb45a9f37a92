"""The quarantine and the replay of what it keeps: capped, private, forgotten in time, and published once it can be read."""

import os
import stat

import pytest

from pipelines.cli import main
from schemas.fields import DAY, SECOND
from schemas.settings import Duration
from schemas.spool import SpoolWriter
from services.gateway.config import QuarantineConfig
from services.gateway.quarantine import Quarantine
from tests.services.gateway.conftest import SENDERS, delivery, signed, spooled
from tests.services.gateway.processes import Process

NOW = 1_767_000_000 * SECOND


def quarantine(folder, **limits):
    """Make a quarantine."""
    return Quarantine(folder, QuarantineConfig(**limits))


def test_a_body_comes_back_as_it_was(tmp_path):
    kept = quarantine(tmp_path)
    body = b"\x00\nfirst line\n\xff"
    assert kept.keep("easypost", body, NOW, "no JSON")
    (one,) = quarantine(tmp_path).kept()
    assert (one.body, one.why.sender, one.why.received_ts, one.why.reason) == (body, "easypost", NOW, "no JSON")


def test_nobody_else_may_read_it(tmp_path):
    quarantine(tmp_path / "q").keep("easypost", b"a name and an address", NOW, "why")
    for path in (tmp_path / "q").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def test_one_sender_cannot_displace_another(tmp_path):
    kept = quarantine(tmp_path, bodies=3)
    assert [kept.keep("loud", bytes([n]), NOW, "") for n in range(5)] == [True] * 3 + [False] * 2
    assert kept.keep("loud", bytes([1]), NOW, ""), "it is there already"
    assert kept.keep("quiet", b"x", NOW, "")
    assert len(list(kept.kept("loud"))) == 3


def test_there_are_only_so_many_bytes(tmp_path):
    kept = quarantine(tmp_path, bytes=1024)
    assert kept.keep("s", bytes(900), NOW, "")
    assert not kept.keep("s", bytes(901), NOW, "")


def test_its_limits_hold_after_a_restart(tmp_path):
    quarantine(tmp_path, bodies=1).keep("s", b"1", NOW, "")
    assert not quarantine(tmp_path, bodies=1).keep("s", b"2", NOW, "")


def test_what_is_old_is_deleted_and_makes_room(tmp_path):
    kept = quarantine(tmp_path, bodies=2, keep=Duration(DAY))
    for number in range(2):
        kept.keep("s", bytes([number]), NOW, "")
    old, new = sorted(tmp_path.rglob("*.body"))
    os.utime(old, (NOW / SECOND - 90_000,) * 2)
    os.utime(new, (NOW / SECOND - 80_000,) * 2)
    kept.clean(NOW)
    assert list(tmp_path.rglob("*.body")) == [new]
    assert kept.keep("s", b"more", NOW, "")


def test_a_body_that_cannot_be_kept_for_want_of_room_is_refused_all_the_same(start):
    with start("[quarantine]\nbodies = 1\n") as gateway:
        unknown = '"status_detail":"lost_in_space"'
        for number in range(3):
            body = delivery(number).body.replace(b'"status_detail":"received_at_origin_facility"', unknown.encode())
            assert gateway.send(signed(body)).status_code == 200
        assert len(gateway.kept()) == 1
        assert gateway.count("quarantine_total", sender="easypost", went="dropped") == 2


@pytest.fixture
def kept(start, tmp_path):
    """A quarantine with a body that is no JSON, one with an unknown code, and one that today's adapter takes."""
    with start() as gateway:
        gateway.send(signed(b"no JSON"))
        gateway.send(signed(delivery(1, step=1).body.replace(b"arrived_at_facility", b"lost_in_space")))
        gateway.gateway.quarantine.keep("easypost", delivery(2, step=1).body, NOW, "an adapter of long ago")
    return tmp_path / "quarantine"


def replay(tmp_path, publish, *more):
    """Replay the quarantine."""
    config = str(tmp_path / "gateway.toml")
    return main(
        ["replay", "--quarantine", str(tmp_path / "quarantine"), "--config", config, "--publish", publish, *more]
    )


def test_a_replay_publishes_what_can_be_read_now_and_keeps_the_rest(kept, tmp_path, capsys):
    assert replay(tmp_path, f"spool://{tmp_path}/again") == 0
    assert capsys.readouterr().out == "1 bodies replayed, 2 cannot be taken yet; 3 events published.\n"
    told = spooled(tmp_path / "again")
    assert [line["tracking_number"] for line in told] == ["LDT00000001", "LDT00000002", "LDT00000002"]
    # When it came is when it came first.
    assert told[-1]["received_ts"].startswith("2025-12-29T")
    assert len(list(kept.rglob("*.body"))) == 2 and len(list(kept.rglob("*.replayed"))) == 1


def test_a_replay_may_be_repeated(kept, tmp_path, capsys):
    replay(tmp_path, f"spool://{tmp_path}/again")
    first = {line["event_id"] for line in spooled(tmp_path / "again")}
    replay(tmp_path, f"spool://{tmp_path}/again")
    assert capsys.readouterr().out.splitlines()[1] == "0 bodies replayed, 2 cannot be taken yet; 1 events published."
    assert {line["event_id"] for line in spooled(tmp_path / "again")} == first


def test_a_replay_into_a_spool_that_a_gateway_writes_to(kept, tmp_path, capsys):
    with SpoolWriter(tmp_path / "busy"):
        assert replay(tmp_path, f"spool://{tmp_path}/busy") == 2
    assert "Another process writes to the spool" in capsys.readouterr().err


def test_a_replay_through_the_running_gateway(kept, tmp_path, capsys):
    (tmp_path / "process").mkdir()
    with Process(tmp_path / "process", f"spool://{tmp_path}/live") as process:
        assert replay(tmp_path, process.url) == 0
        assert capsys.readouterr().out == "1 bodies replayed, 2 cannot be taken yet; 3 events published.\n"
    assert {line["tracking_number"] for line in spooled(tmp_path / "live")} == {"LDT00000001", "LDT00000002"}
    assert replay(tmp_path, process.url) == 1
    assert "does not take events (URLError)" in capsys.readouterr().err
    assert len(list(kept.rglob("*.body"))) == 2


def test_events_that_the_running_gateway_refuses_do_not_hold_up_the_rest(start, tmp_path, capsys):
    with start() as gateway:
        late = delivery(1).body.replace(b'"datetime":"20', b'"datetime":"21')
        gateway.gateway.quarantine.keep("easypost", late, NOW, "first")
        gateway.gateway.quarantine.keep("easypost", delivery(2).body, NOW, "second")
    (tmp_path / "process").mkdir()
    with Process(tmp_path / "process", f"spool://{tmp_path}/live", more="[limits]\nevents = 1\n") as process:
        assert replay(tmp_path, process.url) == 0
    assert capsys.readouterr().out == "1 bodies replayed, 1 cannot be taken yet; 1 events published.\n"
    assert [line["tracking_number"] for line in spooled(tmp_path / "live")] == ["LDT00000002"]


def test_a_replay_with_a_wrong_key_says_so(kept, tmp_path, capsys):
    (tmp_path / "process").mkdir()
    with Process(tmp_path / "process", f"spool://{tmp_path}/live") as process:
        config = tmp_path / "gateway.toml"
        config.write_text(config.read_text().replace('"SHOP_KEY"', '"EASYPOST_SECRET"'))
        assert replay(tmp_path, process.url) == 1
    said = capsys.readouterr().err
    assert "does not take events (answer 401)" in said and said.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--sender", "nobody"], "There is no sender nobody in the file."),
        (["--publish", "ftp://x"], "ftp://x is nowhere to publish to"),
        (["--publish", "kafka://x"], "write kafka://HOST:PORT/TOPIC"),
        (["--publish", "pubsub://p/t?a.b=c"], "has no option a.b"),
        (["--quarantine", "/nowhere"], "There is no folder /nowhere."),
        (["--config", "/nowhere.toml"], "The file /nowhere.toml cannot be read"),
    ],
)
def test_a_replay_that_cannot_be(kept, tmp_path, capsys, words, said):
    assert replay(tmp_path, f"spool://{tmp_path}/again", *words) == 2
    assert said in capsys.readouterr().err


def test_a_sender_that_is_not_there_any_more_keeps_its_bodies(kept, tmp_path, capsys):
    (tmp_path / "gateway.toml").write_text(
        SENDERS.replace("[sender.easypost]", "[sender.easypost-new]\nkind = 'easypost'")
    )
    assert replay(tmp_path, f"spool://{tmp_path}/again") == 0
    assert capsys.readouterr().out.startswith("0 bodies replayed, 3 cannot be taken yet")
