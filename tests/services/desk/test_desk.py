"""The desk's pages, asked without JavaScript: who may read and do what, and that nothing from outside gets through."""

import csv
import html
import io
import re

import pytest

from schemas.alerts import raised
from services.desk import config
from services.desk.choice import Choice
from services.desk.database import Database
from services.desk.listeners import QUEUE
from services.desk.passwords import hash_password
from services.desk.people import COOKIE
from tests.builders import MONDAY, event
from tests.services.desk.conftest import TRACK, clear, fill, tell

HOSTILE = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "'; drop table sla_alerts; --",
    "{{ 7 * 7 }}{% raw %}",
    "=HYPERLINK(\"http://x\")",
    "../../../../etc/passwd",
    "javascript:alert(1)",
    "%00%0d%0aSet-Cookie:x=1",
    "\u202etxt.exe\u200b",
    "a" * 600,
]  # fmt: skip


def rows(answer):
    """Count the alerts of a page."""
    return answer.text.count('name="alert"')


def test_nobody_reads_anything_without_signing_in(desk, source, database):
    fill(database)
    with desk(source) as browser:
        for path in ("/", "/alerts.csv", "/order?id=o1", "/?kind=exception"):
            answer = browser.get(path, follow_redirects=False)
            assert (answer.status_code, answer.headers["location"], answer.text) == (303, "/sign-in", "")
        assert browser.get("/live").status_code == 403
        assert browser.post("/act", {"step": "note"}).status_code == 403


def test_the_queue_shows_filters_and_pages(anna, database):
    fill(database, 60)
    first = anna.get("/")
    assert rows(first) == 50
    assert "<strong>60</strong> alerts, 60 new in all" in first.text
    second = anna.get("/" + html.unescape(first.text.split('" rel="next"')[0].rpartition('href="/')[2]))
    assert rows(second) == 10
    assert rows(anna.get("/?q=t5")) == 11
    assert rows(anna.get("/?kind=attempt_failed")) == 0
    assert "No alert is like that." in anna.get("/?kind=attempt_failed").text


def test_a_choice_that_cannot_be_is_told_so(anna):
    for query in (
        "kind=x",
        "state=open",
        "after=1",
        "after=1_%27",
        "age=5%20y",
        "q=" + "a" * 1025,
        "q=%00",
        "sort=due_ts",
    ):
        answer = anna.get(f"/?{query}")
        assert answer.status_code == 400, query
        assert "That cannot be read" in answer.text


def test_steps_are_taken_and_told(anna, database):
    alerts = fill(database)
    answer = anna.act("acknowledge", *alerts[:2], query="kind=exception")
    assert str(answer.url) == "http://localhost/?kind=exception&said=acknowledge.2.2"
    assert "2 alerts acknowledged." in answer.text and "acknowledged by Anna" in answer.text
    clear(database, alerts[2])
    assert "1 alert noted. 1 stay as they were" in anna.act("note", *alerts[1:], note="so").text
    story = anna.act("assign", alerts[0], order="o0", assignee="Bob").text
    assert "<h1>Order o0</h1>" in story and "assign to Bob" in story
    assert anna.count("steps", step="acknowledge") == 2


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"step": "delete"}, "no such step"),
        ({"step": "acknowledge", "alert": []}, "No alert was chosen"),
        ({"step": "acknowledge", "alert": ["' or 1=1"]}, "Those are no alerts"),
        ({"step": "note", "note": "  "}, "The note is empty"),
        ({"step": "note", "note": "a" * 501}, "at most 500"),
        ({"step": "assign", "assignee": "a" * 65}, "1 to 64 letters"),
        ({"step": "assign", "assignee": "a\x00b"}, "1 to 64 letters"),
    ],
)
def test_a_step_that_cannot_be_is_refused_whole(anna, source, database, fields, why):
    (alert,) = fill(database, 1)
    before = source.queue_mark()
    anna.get("/")
    answer = anna.post("/act", {"alert": [alert.alert_id]} | fields)
    assert answer.status_code == 400 and why in answer.text
    assert source.queue_mark() == before


def test_a_form_from_anywhere_else_does_nothing(desk, anna, source, database):
    (alert,) = fill(database, 1)
    before = source.queue_mark()
    anna.get("/")
    good = anna.form
    fields = {"step": "acknowledge", "alert": alert.alert_id}
    for form in ("", "0" * 64, good[:-1], "é"):
        assert anna.post("/act", fields | {"form": form}).status_code == 403
    for site in ("cross-site", "same-site", "none"):
        assert anna.post("/act", fields, headers={"sec-fetch-site": site}).status_code == 403
    with desk(source) as other:
        other.sign_in("Bob")
        assert other.post("/act", fields | {"form": good}).status_code == 403
    assert anna.client.post("/act", json=fields).status_code == 400
    assert anna.post("/act", fields | {"note": "a" * 70_000}).status_code == 413
    assert source.queue_mark() == before
    assert anna.post("/act", fields, headers={"sec-fetch-site": "same-origin"}).status_code == 200
    assert source.queue_mark() != before


def test_a_session_cannot_be_made_up_or_kept_after_it_ended(desk, source, anna):
    kept = anna.client.cookies[COOKIE]
    for made_up in (kept[:-2] + "aa", "x." + kept.partition(".")[2], "", "[]"):
        with desk(source) as other:
            other.client.cookies.set(COOKIE, made_up)
            assert other.get("/", follow_redirects=False).status_code == 303
    anna.get("/")
    assert anna.post("/sign-out", follow_redirects=False).headers["location"] == "/sign-in"
    assert anna.get("/", follow_redirects=False).status_code == 303
    cookie = anna.get("/sign-in").headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie


def test_users_sign_in_by_password_and_guessing_is_held_back(desk, source):
    kept, other = hash_password("right", 10), hash_password("another", 10)
    with desk(source, f'secret = "DESK_SECRET"\n[users]\nanna = "{kept}"\n') as browser:
        assert browser.sign_in("anna", "right").url.path == "/"
        session = browser.client.cookies[COOKIE]
        browser.client.cookies.clear()
        assert [browser.sign_in("anna", "wrong").status_code for _ in range(5)] == [403] * 5
        held = browser.sign_in("anna", "right")
        assert held.status_code == 429 and int(held.headers["retry-after"]) > 0
        assert browser.sign_in("nobody", "right").status_code == 429
    # With another password the sessions of the old one end.
    for hashed, status in ((kept, 200), (other, 303)):
        with desk(source, f'secret = "DESK_SECRET"\n[users]\nanna = "{hashed}"\n') as browser:
            browser.client.cookies.set(COOKIE, session)
            assert browser.get("/", follow_redirects=False).status_code == status


def test_a_proxy_is_believed_and_nobody_else(desk, source):
    text = '[proxy]\naddresses = ["10.0.0.0/8"]\nuser = "X-Forwarded-User"\n'
    for client, name, status in (
        (("10.1.2.3", 1), "Anna", 200),
        (("10.1.2.3", 1), "", 403),
        (("10.1.2.3", 1), "a" * 65, 403),
        (("192.0.2.1", 1), "Anna", 403),
    ):
        with desk(source, text, client=client, local=False) as browser:
            assert browser.get("/", headers={"x-forwarded-user": name}).status_code == status
            assert browser.get("/sign-in").status_code == 404


def test_a_form_of_one_person_is_no_form_of_another_behind_a_proxy(desk, source, database):
    (alert,) = fill(database, 1)
    with desk(source, "[proxy]\naddresses = ['127.0.0.1']\nuser = 'X-User'\n", local=False) as browser:
        browser.get("/", headers={"x-user": "Anna"})
        fields = {"step": "take", "alert": alert.alert_id}
        assert browser.post("/act", fields, headers={"x-user": "Bob"}).status_code == 403
        assert browser.post("/act", fields, headers={"x-user": "Anna"}).status_code == 200


def test_a_desk_for_this_machine_answers_to_no_other_name(desk, source):
    for base, status in (("http://localhost", 200), ("http://127.0.0.1:81", 200), ("http://evil.example", 421)):
        with desk(source, base=base) as browser:
            assert browser.get("/sign-in").status_code == status


def test_every_answer_is_guarded(anna):
    for path in ("/", "/order?id=none", "/nowhere", "/alerts.csv", "/sign-in", "/track/x?t=y", "/?kind=x"):
        headers = anna.get(path).headers
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        assert "noindex" in headers["x-robots-tag"]
        assert headers["x-content-type-options"] == "nosniff"
    assert "immutable" in anna.get("/static/desk.js").headers["cache-control"]


@pytest.mark.parametrize("word", HOSTILE)
def test_what_comes_from_outside_is_text_wherever_it_is_shown(desk, source, database, word):
    kept = word.replace("%00", "").replace("\0", "")
    alerts = fill(database, 1, carrier=kept, warehouse=kept, customer=kept)
    one = alerts[0]
    one.order_id = one.tracking_number = one.evidence = kept
    fill_hostile(database, kept, one)
    note = " ".join(kept.split())[:500]
    note = note if note.isprintable() else "x"
    with desk(source) as browser:
        browser.sign_in("<b>Anna</b>")
        browser.act("note", one, note=note)
        browser.act("assign", one, assignee="<i>Bob</i>", note="=1+1")
        pages = [
            browser.get("/"),
            browser.get("/", params={"q": kept}),
            browser.get("/", params={"carrier": kept}),
            browser.get("/order", params={"id": kept}),
            browser.get("/", params={"said": kept}),
        ]
        for page in pages:
            assert page.status_code == 200
            for mark in ("<script>alert", "<img", "<b>", "<i>", "' onmouseover='", "49{"):
                assert mark not in page.text
            # Between the tags no letter turns the others around.
            assert "\u202e" not in re.sub("<[^>]*>", "", page.text)
            assert page.text.count("<script") == 1
        assert "Order " in pages[3].text and "&lt;i&gt;Bob&lt;/i&gt;" in pages[3].text
        lines = list(csv.reader(io.StringIO(browser.get("/alerts.csv").text)))
        assert {len(line) for line in lines} == {14}
        assert not [cell for line in lines for cell in line if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert source.count(Choice()) == 2


def fill_hostile(address, word, one):
    """Let there be an order of that name, with an alert."""
    made = raised(word, word, one.kind, one.due_ts, word)
    one.alert_id = made.alert_id
    tell(
        address,
        [event("exception", MONDAY, order=word, waybill=word, carrier=word, warehouse=word, reason=word)],
        [made],
    )


def test_no_path_leads_out_of_the_files_there_are(anna):
    for path in (
        "/static/../config.py", "/static/%2e%2e/config.py", "/static/..%2fconfig.py", "/static//etc/passwd",
        "/static/desk.css%00", "/static/", "/order?id=../../etc/passwd", "/track/../../etc/passwd?t=x",
    ):  # fmt: skip
        assert anna.get(path).status_code == 404, path


def test_no_answer_can_be_sent_elsewhere_by_what_a_form_says(anna, database):
    (alert,) = fill(database, 1)
    for query in ("//evil.example", "said=x&after=\r\nx: y", "q=//evil.example/%0d%0aX-Evil: 1"):
        anna.get("/")
        answer = anna.post("/act", {"step": "take", "alert": alert.alert_id, "query": query}, follow_redirects=False)
        assert answer.status_code in (303, 400)
        assert answer.headers.get("location", "/?").startswith("/?")
        assert "x-evil" not in answer.headers


def test_a_database_that_is_away_gives_a_page_that_says_so(desk, tmp_path):
    with desk(Database(f"sqlite:///{tmp_path}/none.db")) as browser:
        browser.sign_in()
        answer = browser.get("/")
        assert answer.status_code == 503 and int(answer.headers["retry-after"]) > 0
        assert "cannot be read at the moment" in answer.text and str(tmp_path) not in answer.text
        assert browser.get("/readyz").status_code == 503
        assert browser.get("/healthz").status_code == 200
        assert browser.count("source_away") >= 2


def test_a_poller_that_ended_by_a_fault_is_seen(desk, source, monkeypatch):
    def fail():
        raise RuntimeError("a fault of our own")

    with desk(source, TRACK + '[limits]\npoll = "0.01 s"\n') as browser:
        assert browser.get("/healthz").status_code == 200
        monkeypatch.setattr(source, "queue_mark", fail)
        browser.client.portal.call(browser.site.listeners.join, QUEUE, "", "a")
        while browser.get("/healthz").status_code == 200:
            pass


def test_metrics_are_labelled_by_pages_and_not_by_what_strangers_write(anna):
    anna.get("/nowhere/<script>")
    anna.get("/track/secret-number?t=secret-token")
    said = anna.get("/metrics").text
    assert 'milepost_desk_requests_total{page="queue",status="200"}' in said
    assert 'page="none",status="404"' in said
    assert "secret" not in said and "nowhere" not in said


def test_the_example_in_the_configurations_docstring_can_be_read(tmp_path, monkeypatch):
    text = config.__doc__.partition("\n\n")[2].replace("scrypt:15:…", hash_password("x", 10))
    lines = [line.partition("  ")[0] for line in text.splitlines()]
    path = tmp_path / "example.toml"
    path.write_text("\n".join(line for line in lines if not line.startswith("user =")))
    assert config.read_config(path).track.zone == "Europe/Berlin"
