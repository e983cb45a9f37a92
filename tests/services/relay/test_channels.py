"""What goes over the wire, checked by means of its own."""

import base64
import hashlib
import json
import socketserver
import threading
import time
from email import message_from_bytes
from urllib.parse import parse_qs

import pytest

from pipelines.errors import UsageError
from services.relay.channels.channel import Message, Went, filled
from services.relay.channels.file import File
from services.relay.channels.http import retry_after
from services.relay.channels.mail import Mail
from services.relay.channels.topic import Topic
from services.relay.channels.webhook import Text, Webhook
from services.relay.config import read_config
from services.relay.relay import Relay
from tests.services.relay.conftest import configured, lines, webhook
from tests.services.relay.receiver import Receiver

SAID = {"milestone": "delivered", "order_id": "o1", "tracking_number": 't"1', "happened_at": "2026-03-02T09:00:00Z"}
MESSAGE = Message("k1", SAID)


def hmac_sha256(key: bytes, text: bytes) -> bytes:
    """Reckon HMAC as RFC 2104 defines it."""
    key = (hashlib.sha256(key).digest() if len(key) > 64 else key).ljust(64, b"\0")
    inner = hashlib.sha256(bytes(b ^ 0x36 for b in key) + text).digest()
    return hashlib.sha256(bytes(b ^ 0x5C for b in key) + inner).digest()


def verified(headers, body, key):
    """Tell whether one of the signatures is this key's, as a receiver would."""
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    wanted = "v1," + base64.b64encode(hmac_sha256(key, signed)).decode()
    fresh = abs(time.time() - int(headers["webhook-timestamp"])) < 300
    return fresh and wanted in headers["webhook-signature"].split(" ")


def test_signatures_verify_by_either_secret_and_by_no_other():
    new, old = b"\x01\xff" * 16, b"plain old secret"
    secrets = ["whsec_" + base64.b64encode(new).decode(), old.decode()]
    with Receiver() as receiver:
        assert Webhook(receiver.url, secrets, 2).send(MESSAGE).went is Went.SENT
    ((headers, body),) = receiver.seen["k1"]
    assert headers["webhook-id"] == headers["Idempotency-Key"] == "k1"
    assert verified(headers, body, new) and verified(headers, body, old)
    assert not verified(headers, body + b" ", new) and not verified(headers, body, b"another")
    other = str(int(headers["webhook-timestamp"]) - 1)
    assert not verified(headers | {"webhook-timestamp": other}, body, new)


@pytest.mark.parametrize("form", [False, True])
def test_a_text_message_goes_as_its_provider_wants_it(form):
    with Receiver() as receiver:
        fields = {"To": "customer-$customer_id", "Body": "$text", "Ref": "$key"}
        texts = {"default": "Parcel $tracking_number: $milestone", "shipped": "never"}
        channel = Text(receiver.url, fields, texts, 2, form=form, user="me", token="secret")
        assert channel.send(MESSAGE).went is Went.SENT
    ((headers, body),) = receiver.seen["k1"]
    said = {name: one for name, (one,) in parse_qs(body.decode()).items()} if form else json.loads(body)
    assert said == {"To": "customer-", "Body": 'Parcel t"1: delivered', "Ref": "k1"}
    assert base64.b64decode(headers["Authorization"].split()[1]) == b"me:secret"


def test_what_a_template_does_not_know_stays_empty():
    assert filled("$a-$b-$$", {"a": "$b"}) == "$b--$"


def test_a_file_takes_a_message_once_and_survives_a_line_cut_off(tmp_path):
    path = tmp_path / "sent.jsonl"
    path.write_bytes(b'{"key": "k0"}\n{"key": "k')
    one, other = File(path), File(path)
    for channel in (one, other, one, File(path)):
        assert channel.send(MESSAGE).went is Went.SENT
    assert one.send(Message("k0", SAID)).went is Went.SENT
    lines_ = path.read_text().splitlines()
    assert lines_[1] == '{"key": "k' and [json.loads(line)["key"] for line in (lines_[0], *lines_[2:])] == ["k0", "k1"]
    assert (one.repeated, other.repeated) == (2, 1)
    assert File(tmp_path).send(MESSAGE).went is Went.REFUSED


class MailServer(socketserver.StreamRequestHandler):
    """Just enough of SMTP; mails go to the server's list."""

    def handle(self):
        """Talk."""
        self.wfile.write(b"220 ready\r\n")
        for line in self.rfile:
            word = line.strip().upper()[:4]
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                mail = b"".join(iter(self.rfile.readline, b".\r\n"))
                if self.server.silent:
                    return
                self.server.mails.append(mail)
            elif word == b"RCPT" and self.server.refuses:
                self.wfile.write(b"550 nobody\r\n")
                continue
            self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n")


@pytest.fixture
def mails():
    """Run a mail server."""
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), MailServer)
    server.daemon_threads = True
    server.mails, server.silent, server.refuses = [], False, False
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def mail(server, to="$order_id@shop.example"):
    """Make a channel to it."""
    host, port = server.server_address
    return Mail(host, port, "none", "parcels@shop.example", to, "$milestone", "It came: $tracking_number", 2)


def test_mail(mails):
    assert mail(mails).send(MESSAGE).went is Went.SENT
    (raw,) = mails.mails
    said = message_from_bytes(raw)
    assert (said["To"], said["Subject"], said["Message-ID"]) == (
        "o1@shop.example",
        "delivered",
        "<k1@milepost.invalid>",
    )
    assert 'It came: t"1' in said.get_payload()
    mails.refuses = True
    assert mail(mails).send(MESSAGE).went is Went.REFUSED
    mails.refuses, mails.silent = False, True
    assert mail(mails).send(MESSAGE).went is Went.UNKNOWN
    assert mail(mails).send(Message("k2", SAID | {"order_id": "a\r\nBcc: all"})).went is Went.REFUSED


def test_a_topic_says_how_publishing_went():
    from concurrent.futures import Future

    from google.api_core.exceptions import DeadlineExceeded, NotFound

    class Publisher:
        answers = [None, DeadlineExceeded("late"), NotFound("no topic"), TimeoutError()]
        sent = []

        def publish(self, topic, data, **attributes):
            self.sent.append((topic, json.loads(data), attributes))
            future, answer = Future(), self.answers.pop(0)
            future.set_exception(answer) if answer else future.set_result("1")
            return future

    channel = Topic.__new__(Topic)
    channel.topic, channel.timeout, channel.publisher = "projects/p/topics/t", 1, Publisher()
    went = [channel.send(MESSAGE).went for _ in range(4)]
    assert went == [Went.SENT, Went.UNKNOWN, Went.REFUSED, Went.UNKNOWN]
    assert Publisher.sent[0] == (
        "projects/p/topics/t",
        SAID,
        {"idempotency_key": "k1", "milestone": "delivered"},
    )


@pytest.mark.parametrize(
    ("said", "seconds"),
    [(None, 0), ("7", 7), ("-1", 0), ("soon", 0), ("999999", 3600), ("Mon, 01 Jan 2001 00:00:00 GMT", 0)],
)
def test_retry_after(said, seconds):
    assert retry_after(said) == seconds


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[channel", "no TOML"),
        ("[channel]", "channel"),
        ("[channel.a]\nkind = 'pigeon'", "pigeon"),
        ("[channel.a]\nkind = 'webhook'\nurl = 'ftp://x'\nsecrets = ['A']", "url"),
        (webhook("http://127.0.0.1:1", timeout="2 s"), "lease"),
        (webhook("http://127.0.0.1:1", secrets=["NOT_THERE"]), "NOT_THERE"),
        (webhook("http://127.0.0.1:1", secrets=["BAD_SECRET"]), "BAD_SECRET"),
        ("[channel.a]\n" + lines({"kind": "file", "path": "x", "secret": "y"}), "secret"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_one_sentence(tmp_path, monkeypatch, text, complaint):
    monkeypatch.setenv("BAD_SECRET", "whsec_no base64!")
    with pytest.raises(UsageError, match=complaint) as said:
        Relay(read_config(configured(tmp_path, text)), f"sqlite:///{tmp_path}/x.db")
    assert "base64!" not in str(said.value)
