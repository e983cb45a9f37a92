"""A sender's public keys: fetched rarely, dropped when withdrawn, and never made up."""

import base64
import json
import string
import threading
from contextlib import nullcontext
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256

from schemas.fields import HOUR, MINUTE, SECOND
from services.gateway.senders.jwks import fetch
from services.gateway.senders.options import ConfigError, read_options
from services.gateway.senders.registry import make
from services.gateway.senders.sender import Forged, Unproved
from services.gateway.senders.shipengine import ShipEngine, ShipEngineOptions
from tests.services.gateway.senders.world import NEW, NOW, OLD, TRIALS, WRONG, jwks, written

TRIAL = TRIALS["shipengine"]


class Keys:
    """What stands in for the sender's server."""

    def __init__(self, *answers):
        """Take what is answered, one after the other; the last one again and again."""
        self.answers = list(answers)
        self.asked = []

    def __call__(self, url):
        """Answer, or fail."""
        self.asked.append(url)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def sender(keys, **options):
    """Make the sender with these keys."""
    return ShipEngine("shipengine", (), read_options(options, ShipEngineOptions), keys)


def delivery(secret=NEW, after=0):
    """Give a request signed and received some time from now."""
    return TRIAL.delivery(b"{}", NOW + after, secret)._replace(received_ts=NOW + after)


def test_keys_are_fetched_once_for_many_requests():
    keys = Keys(jwks(NEW))
    one = sender(keys)
    for second in range(100):
        one.verify(delivery(after=second * SECOND))
    assert keys.asked == ["https://api.shipengine.com/jwks"]


def test_a_new_key_is_fetched_when_it_is_first_named():
    keys = Keys(jwks(OLD), jwks(OLD, NEW))
    one = sender(keys)
    one.verify(delivery(OLD))
    one.verify(delivery(NEW, after=MINUTE))
    assert len(keys.asked) == 2


def test_requests_that_name_made_up_keys_do_not_make_us_ask_more_than_once_a_minute():
    keys = Keys(jwks(NEW))
    one = sender(keys)
    for second in range(120):
        with pytest.raises(Forged):
            one.verify(delivery(WRONG, after=second * SECOND))
    assert len(keys.asked) == 2


def test_a_key_that_was_withdrawn_is_forgotten_within_the_hour():
    one = sender(Keys(jwks(NEW, OLD), jwks(NEW)))
    one.verify(delivery(OLD))
    one.verify(delivery(OLD, after=HOUR // 2))
    with pytest.raises(Forged):
        one.verify(delivery(OLD, after=HOUR // 2 + SECOND))


@pytest.mark.parametrize("answer", [OSError("no route"), b"<html>", b"[]", b'{"keys": 1}', b""])
def test_while_keys_cannot_be_had_requests_should_come_again(answer):
    one = sender(Keys(answer, jwks(NEW)))
    with pytest.raises(Unproved):
        one.verify(delivery())
    with pytest.raises(Unproved):
        one.verify(delivery(after=MINUTE - 1))
    one.verify(delivery(after=MINUTE))


def test_a_short_outage_of_the_keys_harms_nothing():
    keys = Keys(jwks(NEW), OSError("no route"))
    one = sender(keys)
    one.verify(delivery())
    one.verify(delivery(after=HOUR // 2 + SECOND))
    one.verify(delivery(after=HOUR))
    assert len(keys.asked) == 3
    with pytest.raises(Unproved):
        one.verify(delivery(after=HOUR + SECOND))


def test_the_key_that_is_named_must_be_the_one_that_signed():
    mixed = delivery(NEW)
    mixed.headers["x-shipengine-rsa-sha256-key-id"] = OLD
    with pytest.raises(Forged):
        sender(Keys(jwks(NEW, OLD))).verify(mixed)


@pytest.mark.parametrize(
    "change",
    [{"kty": "oct"}, {"n": "AQAB"}, {"n": "!"}, {"e": ""}, {"n": ""}, {"e": "Ag"}],
    ids=lambda change: str(change),
)
def test_keys_that_are_none_or_too_small_are_passed_over(change):
    keys = json.loads(jwks(NEW, OLD))
    keys["keys"][0].update(change)
    one = sender(Keys(json.dumps(keys).encode()))
    one.verify(delivery(OLD))
    with pytest.raises(Forged):
        one.verify(delivery(NEW))


def test_requests_that_name_made_up_keys_do_not_hold_up_the_others():
    answer, asked = threading.Event(), threading.Event()

    def slow(url):
        if one.keys.fetched is not None:
            asked.set()
            assert answer.wait(30)
        return jwks(NEW)

    def forge():
        with pytest.raises(Forged):
            one.verify(delivery(WRONG, after=MINUTE))

    one = sender(slow)
    one.verify(delivery())
    forged = threading.Thread(target=forge)
    forged.start()
    assert asked.wait(30)
    one.verify(delivery(after=MINUTE))
    answer.set()
    forged.join(30)


def test_keys_come_by_http():
    class Server(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/jwks" else 404)
            self.end_headers()
            self.wfile.write(jwks(NEW))

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        try:
            for path, outcome in (("/jwks", nullcontext()), ("/no", pytest.raises(Unproved))):
                with outcome:
                    sender(fetch, jwks=address + path).verify(delivery())
        finally:
            server.shutdown()


@pytest.mark.parametrize("address", ["http://api.example.com/jwks", "file:///etc/passwd", "ftp://a/b", ""])
def test_keys_come_from_nowhere_else(address):
    with pytest.raises(ConfigError, match="jwks"):
        make("shipengine", "shipengine", [], {"jwks": address})


def test_a_small_key_proves_nothing_though_it_be_in_the_set():
    small = generate_private_key(65537, 1024)
    keys = json.loads(jwks(NEW))
    keys["keys"][0].update(written(small.public_key()))
    request = delivery(NEW)
    signed = request.headers["x-shipengine-timestamp"].encode() + b"." + request.body
    signature = base64.b64encode(small.sign(signed, PKCS1v15(), SHA256())).decode()
    request.headers["x-shipengine-rsa-sha256-signature"] = signature
    with pytest.raises(Forged):
        sender(Keys(json.dumps(keys).encode())).verify(request)


def test_a_signature_has_one_spelling():
    letters = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"
    request = delivery(NEW)
    signature = request.headers["x-shipengine-rsa-sha256-signature"]
    last = letters.index(signature[-3])
    other = signature[:-3] + letters[last ^ 1] + "=="
    assert base64.b64decode(other) == base64.b64decode(signature)
    request.headers["x-shipengine-rsa-sha256-signature"] = other
    with pytest.raises(Forged):
        sender(Keys(jwks(NEW))).verify(request)
