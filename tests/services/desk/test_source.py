"""What a database tells the desk, against plain Python over the same alerts; and what steps leave behind."""

import random
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from schemas.alerts import KINDS, raised
from schemas.clock import WALL
from schemas.fields import HOUR, MINUTE
from schemas.settings import Duration
from services.desk.choice import Choice, Overview, read_choice
from services.desk.database import Database
from services.desk.export import export
from services.desk.listeners import QUEUE, marks_of
from services.desk.source import SourceError
from services.desk.steps import read_step
from tests.builders import MONDAY, event
from tests.servers import ask
from tests.services.desk.conftest import both, clear, fill, retract, tell

NOW = WALL.now()


def mixed(count=120, seed=1):
    """Give events and alerts of all sorts, some of them at one moment, and what is known of each alert."""
    chance = random.Random(seed)
    events, alerts, known = [], [], []
    for n in range(count):
        order, number = f"o{n % 40}", f"{'T' if n % 2 else 'U'}{n}"
        carrier, warehouse = chance.choice(["A", "B", None]), chance.choice(["W1", "W2", None])
        told = n % 10 > 0
        if told:
            events.append(event("labeled", MONDAY, order=order, waybill=number, carrier=carrier, warehouse=warehouse))
        due = NOW - chance.randrange(1, 200) * HOUR
        one = raised(order, number, chance.choice(KINDS), due, "evidence")
        alerts.append(one)
        known.append((one, carrier if told else None, warehouse if told else None))
    return events, alerts, known


def expected(known, choice, handled):
    """Choose alerts in plain Python."""
    found = []
    for one, carrier, warehouse in known:
        acknowledged, assignee = handled.get(one.alert_id, (False, None))
        fits = (
            choice.kind in ("", one.kind)
            and choice.carrier in ("", carrier or "-")
            and choice.warehouse in ("", warehouse or "-")
            and choice.state in ("", "acknowledged" if acknowledged else "new")
            and choice.assignee in ("", assignee or "-")
            and (not choice.age or one.due_ts <= NOW - Duration.of(choice.age))
            and (one.order_id.startswith(choice.q) or one.tracking_number.startswith(choice.q))
        )
        if fits:
            found.append((one.due_ts, one.alert_id))
    return sorted(found, reverse=choice.sort == "newest")


CHOICES = [
    {},
    {"sort": "oldest"},
    {"kind": "exception"},
    {"carrier": "A", "warehouse": "-"},
    {"carrier": "-", "sort": "oldest"},
    {"state": "new", "assignee": "-"},
    {"state": "acknowledged"},
    {"assignee": "Bob"},
    {"age": "3 d", "kind": "sla_breached"},
    {"q": "o1"},
    {"q": "T1", "sort": "oldest"},
    {"q": "%"},
    {"q": "' or 1=1 --"},
]


@both
def test_every_choice_is_found_page_by_page_and_counted(source, database):
    events, alerts, known = mixed()
    tell(database, events, alerts)
    ids = [one.alert_id for one in alerts]
    source.act(read_step("acknowledge", ids[:30], "Anna", "", ""))
    source.act(read_step("assign", ids[20:50], "Anna", "Bob", ""))
    handled = {one: (place < 30, "Bob" if 20 <= place < 50 else None) for place, one in enumerate(ids)}
    overview = Overview(source.shares())
    assert (overview.open, overview.new) == (120, 90)
    for words in CHOICES:
        choice = read_choice(words)
        want, found = expected(known, choice, handled), []
        page = source.page(choice, 7)
        while page:
            found += [(row.due_ts, row.alert_id) for row in page]
            page = source.page(choice._replace(after=choice.place(page[-1])), 7)
        assert found == want, words
        assert source.count(choice) == len(want)
        assert overview.count(choice) in (None, len(want))
        lines = "".join(export(source, choice, 1000)).splitlines()[1:]
        assert [line.split(",")[0] for line in lines] == [one for _, one in want]


@both
def test_only_open_alerts_are_in_the_queue(source, database):
    first, second, third = fill(database)
    clear(database, first)
    retract(database, second)
    assert [row.alert_id for row in source.page(Choice(), 9)] == [third.alert_id]
    assert source.open_kinds(("o0", "t0")) == set()


@both
def test_the_first_who_acknowledges_stays(source, database):
    ids = [one.alert_id for one in fill(database)]
    assert source.act(read_step("acknowledge", ids[:2], "Anna", "", "")) == 2
    assert source.act(read_step("acknowledge", ids, "Bob", "", "")) == 1
    assert sorted(row.acknowledged_by for row in source.page(Choice(), 9)) == ["Anna", "Anna", "Bob"]
    assert source.act(read_step("reopen", ids, "Bob", "", "")) == 3
    assert source.act(read_step("reopen", ids, "Bob", "", "")) == 0
    assert {row.acknowledged_by for row in source.page(Choice(), 9)} == {None}


@both
def test_of_many_who_take_an_alert_at_once_one_has_it(source, database):
    ids = [one.alert_id for one in fill(database)]
    with ThreadPoolExecutor(6) as people:
        taken = list(people.map(lambda n: source.act(read_step("take", ids, f"P{n}", "", "")), range(6)))
    assert sum(taken) == 3
    assert {row.assignee for row in source.page(Choice(), 9)} <= {f"P{n}" for n in range(6)}
    assert ask(database, "select count(*) from alert_steps where step = 'take'") == [(3,)]


@both
def test_every_step_is_kept_with_who_and_when(source, database):
    one = fill(database, 1)[0]
    begun = WALL.now()
    for step, assignee, note in [
        ("acknowledge", "", ""),
        ("take", "", ""),
        ("assign", "Bob", "please"),
        ("note", "", "so"),
    ]:
        assert source.act(read_step(step, [one.alert_id], "Anna", assignee, note)) == 1
    (told,) = source.story("o0")
    rows = next(section.rows for section in told.sections if section.columns[1] == "who")
    assert [row[1:] for row in rows] == [
        ("Anna", "acknowledge", "exception", ""),
        ("Anna", "take", "exception", ""),
        ("Anna", "assign to Bob", "exception", "please"),
        ("Anna", "note", "exception", "so"),
    ]  # fmt: skip
    assert source.page(Choice(), 1)[0].acknowledged_at >= begun - MINUTE


@both
def test_what_is_closed_cannot_be_taken_and_what_comes_again_is_nobodys(source, database):
    one = fill(database, 1)[0]
    source.act(read_step("take", [one.alert_id], "Anna", "", ""))
    retract(database, one)
    assert source.act(read_step("note", [one.alert_id], "Anna", "", "too late")) == 0
    again = raised(one.order_id, one.tracking_number, one.kind, one.due_ts, "again")
    again.alert_id = f"{one.alert_id}.1"
    tell(database, alerts=[again])
    (row,) = source.page(Choice(), 9)
    assert (row.alert_id, row.occurrence, row.assignee) == (one.alert_id, 1, None)


@both
def test_marks_change_with_what_they_stand_for_and_with_nothing_else(source, database):
    alerts = fill(database)
    here, there = (("o0", "t0"),), (("o1", "t1"),)

    def marks():
        return marks_of(source, [QUEUE, here, there])

    seen = [marks()]
    fill(database)
    assert marks() == seen[0]
    source.act(read_step("note", [alerts[0].alert_id], "Anna", "", "so"))
    seen.append(marks())
    clear(database, alerts[0])
    seen.append(marks())
    tell(database, [event("delivered", MONDAY + HOUR, order="o0", waybill="t0")])
    seen.append(marks())
    assert len({one[QUEUE] for one in seen[:3]}) == 3
    assert len({one[here] for one in seen}) == 3
    assert len({one[there] for one in seen}) == 1


@both
def test_an_order_nobody_knows_has_no_story(source, database):
    assert source.story("o9") == source.story("o\0") == source.parcels("t\0") == []


def test_a_database_that_is_away_is_one_sentence(tmp_path):
    away = Database(f"sqlite:///{tmp_path}/nothing.db")
    for question in (lambda: away.page(Choice(), 1), away.queue_mark, lambda: away.story("o")):
        with pytest.raises(SourceError, match=r"^The database cannot be asked\.$"):
            question()
    with pytest.raises(SourceError, match="cannot be written"):
        away.act(read_step("note", ["a" * 24], "Anna", "", "x"))


@pytest.mark.postgres
@pytest.mark.parametrize("database", ["postgres"], indirect=True)
def test_a_page_of_ten_thousand_is_read_from_an_index(source, database, capsys):
    count = 10_000
    for begin in range(0, count, 2_000):
        some = range(begin, begin + 2_000)
        tell(
            database,
            [event("labeled", MONDAY, order=f"o{n}", waybill=f"t{n}", carrier="AB"[n % 2]) for n in some],
            [raised(f"o{n}", f"t{n}", KINDS[n % len(KINDS)], MONDAY + n * MINUTE, "e") for n in some],
        )
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("vacuum analyze")
        newest = connection.execute(
            "explain select alert_id from desk_queue order by due_ts desc, alert_id desc limit 51"
        ).fetchall()
    assert any("sla_alerts_open" in line for (line,) in newest), newest
    asked = {
        "first page": lambda: source.page(Choice(), 51),
        "a page far behind": lambda: source.page(Choice(after=f"{MONDAY + 99 * MINUTE}_a"), 51),
        "of one carrier": lambda: source.page(Choice(carrier="A", kind=KINDS[0]), 51),
        "by number": lambda: source.page(Choice(q="t77"), 51),
        "overview": source.shares,
        "count": lambda: source.count(Choice(age="1 h")),
        "mark": source.queue_mark,
        "story": lambda: source.story("o77"),
    }
    for name, question in asked.items():
        began = time.perf_counter()
        assert question()
        with capsys.disabled():
            print(f"\n10,000 open alerts, {name}: {(time.perf_counter() - began) * 1000:.1f} ms", end="")
