"""The desk and the customers' page in a real browser."""

from time import perf_counter

import pytest
from playwright.sync_api import expect

from schemas.alerts import KINDS, raised
from schemas.fields import HOUR, MINUTE
from services.desk.database import Database
from services.desk.steps import read_step
from services.tokens import link
from tests.builders import MONDAY, event
from tests.services.desk.conftest import TRACK, clear, fill, tell, token
from tests.services.desk.running import opened, serving

pytestmark = pytest.mark.browser

QUICK = '[limits]\npoll = "0.1 s"\n'
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True}


@pytest.fixture
def base(database, tmp_path):
    """Give the address of a running desk with an outbox of SQLite."""
    file = database.removeprefix("sqlite:///")
    with serving(tmp_path, "--outbox", file, "--open", config=TRACK + QUICK) as (address, _):
        yield address


def alerts(page):
    """Give the rows of the queue."""
    return page.locator("#live tbody tr")


def status(page, text):
    """Wait until the page says how it is kept up to date."""
    expect(page.locator("#status")).to_contain_text(text)


def test_the_queue_is_filtered_acknowledged_and_assigned(chromium, base, database):
    fill(database, 3)
    fill_other(database)
    with opened(chromium, base) as page:
        expect(alerts(page)).to_have_count(4)
        page.locator("[name=kind]").select_option("exception")
        page.get_by_role("button", name="Filter").click()
        expect(alerts(page)).to_have_count(3)
        row = alerts(page).filter(has_text="t1")
        row.get_by_role("checkbox").check()
        page.get_by_role("button", name="Acknowledge", exact=True).click()
        expect(page.get_by_text("1 alert acknowledged.")).to_be_visible()
        expect(row).to_contain_text("acknowledged by Anna")
        page.get_by_label("All on this page").check()
        page.get_by_label("Assign to").fill("Bob")
        page.get_by_role("button", name="Assign").click()
        expect(page.get_by_text("3 alerts assigned.")).to_be_visible()
        row.get_by_role("link", name="o1").click()
        expect(page.get_by_role("heading", name="Parcel t1")).to_be_visible()
        expect(page.get_by_text("assign to Bob")).to_be_visible()


def fill_other(database):
    """Let there be an alert of another kind."""
    tell(database, alerts=[raised("o9", "t9", "attempt_failed", MONDAY, "evidence")])


def test_two_people_see_at_once_what_the_other_does_and_what_is_new(chromium, base, database):
    first, second = fill(database, 2)
    with opened(chromium, base) as anna, opened(chromium, base, "Bob") as bob:
        for page in (anna, bob):
            status(page, "Live")
        box = anna.locator(f"#a{second.alert_id}")
        box.check()
        bob.locator(f"#a{first.alert_id}").check()
        bob.get_by_role("button", name="Take").click()
        expect(alerts(anna).filter(has_text="t0")).to_contain_text("Bob")
        expect(box).to_be_checked()
        fill(database, 5)
        for page in (anna, bob):
            expect(alerts(page)).to_have_count(5)
            status(page, "Live: 5 alerts")
        clear(database, first)
        expect(alerts(anna)).to_have_count(4)
        expect(box).to_be_checked()
        assert anna.title() == "4 new alerts · Milepost desk"


def test_what_somebody_types_outlives_an_update(chromium, base, database):
    fill(database, 1)
    with opened(chromium, base) as page:
        status(page, "Live")
        page.get_by_label("Note", exact=True).fill("half a no")
        fill(database, 2)
        expect(alerts(page)).to_have_count(2)
        page.keyboard.type("te")
        expect(page.get_by_label("Note", exact=True)).to_have_value("half a note")


def test_enter_in_a_field_does_nothing_by_accident(chromium, base, database):
    fill(database, 1)
    with opened(chromium, base) as page:
        alerts(page).get_by_role("checkbox").check()
        page.get_by_label("Assign to").fill("Bob")
        page.keyboard.press("Enter")
        page.reload()
        expect(alerts(page)).to_contain_text("nobody’s")
        expect(alerts(page)).not_to_contain_text("acknowledged")


def test_the_keyboard_alone_is_enough(chromium, base, database):
    fill(database, 1)
    with opened(chromium, base) as page:
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        box = alerts(page).get_by_role("checkbox")
        for _ in range(40):
            page.keyboard.press("Tab")
            if box.evaluate("box => box === document.activeElement"):
                break
        assert box.evaluate("box => getComputedStyle(box).outlineStyle") == "solid"
        page.keyboard.press("Space")
        page.get_by_role("button", name="Acknowledge", exact=True).focus()
        page.keyboard.press("Enter")
        expect(page.get_by_text("1 alert acknowledged.")).to_be_visible()


def test_without_javascript_all_can_be_read_and_done(chromium, base, database):
    fill(database, 60)
    with opened(chromium, base, java_script_enabled=False) as page:
        expect(alerts(page)).to_have_count(50)
        page.get_by_role("link", name="Next page").click()
        expect(alerts(page)).to_have_count(10)
        expect(page.get_by_label("All on this page")).to_be_hidden()
        alerts(page).first.get_by_role("checkbox").check()
        page.get_by_role("button", name="Take").click()
        expect(page.get_by_text("1 alert yours now.")).to_be_visible()
        page.goto(link(base, "t1", token("o1", "t1")))
        expect(page.get_by_role("heading", name="On its way")).to_be_visible()


def test_the_customers_page_is_live(chromium, base, database):
    fill(database, 2, promise=MONDAY + 48 * HOUR)
    with opened(chromium, base, "", **PHONE) as page:
        page.goto(link(base, "t1", token("o1", "t1")))
        status(page, "Live")
        expect(page.get_by_role("heading", level=1)).to_have_text("On its way")
        tell(database, [event("out_for_delivery", MONDAY + HOUR, order="o1", waybill="t1")])
        expect(page.get_by_role("heading", level=1)).to_have_text("Out for delivery")
        tell(database, [event("delivered", MONDAY + 2 * HOUR, order="o1", waybill="t1")])
        expect(page.get_by_role("heading", level=1)).to_have_text("Delivered")
        expect(page.get_by_text("On time: it was promised for 4 March 2026, 00:00 UTC.")).to_be_visible()
        status(page, "Live: Delivered")


def test_a_desk_that_comes_back_is_found_again(chromium, database, tmp_path):
    fill(database, 1)
    words = ("--outbox", database.removeprefix("sqlite:///"), "--open")
    config = f'secret = "DESK_SECRET"\n{QUICK}'
    with serving(tmp_path, *words, config=config) as (base, process), opened(chromium, base) as page:
        status(page, "Live")
        process.terminate()
        assert process.wait(30) == 0
        status(page, "Not live")
        fill(database, 2)
        with serving(tmp_path, *words, config=config, port=int(base.rpartition(":")[2])):
            expect(alerts(page)).to_have_count(2)
            status(page, "Live: 2 alerts")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("how", [{"viewport": {"width": 1280, "height": 800}}, PHONE], ids=["desktop", "phone"])
def test_pages_fit_and_can_be_read(chromium, base, database, scheme, how):
    fill(database, 20, warehouse="a warehouse of a very long name without end")
    fill_long(database)
    fill_kinds(database)
    with opened(chromium, base, color_scheme=scheme, **how) as page:
        for path in ("/", "/?kind=exception&q=t1", "/order?id=o1", f"/order?id={'o' * 200}", "/sign-in", "/nowhere",
                     link("", "t1", token("o1", "t1"))):  # fmt: skip
            page.goto(path)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
            assert page.evaluate(CUT) == 0, path
            assert page.evaluate(CONTRAST) == [], path
            assert page.evaluate(UNNAMED) == [], path


def fill_kinds(database):
    """Let there be an alert of each kind, some of them in somebody's hands."""
    made = [raised("SO-1000001", "QH0000000001", kind, MONDAY + n * MINUTE, "evidence") for n, kind in enumerate(KINDS)]
    tell(database, alerts=made)
    source = Database(database)
    ids = [one.alert_id for one in made[:4]]
    source.act(read_step("acknowledge", ids, "Somebody Longname", "", ""))
    source.act(read_step("assign", ids, "Somebody Longname", "Somebody Else", ""))


def fill_long(database):
    """Let there be an order with a name without end."""
    name = "o" * 200
    tell(
        database,
        [event("exception", MONDAY, order=name, waybill=name, carrier=name, warehouse=name)],
        [raised(name, name, "sla_breached", MONDAY + MINUTE, name)],
    )


CUT = "[...document.querySelectorAll('.wide')].filter((one) => one.scrollWidth > one.clientWidth + 1).length"
CONTRAST = """() => {
    // WCAG 2.2, 1.4.3: the contrast of text with what is behind it is at least 4.5, of large text 3.
    const channel = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
    const numbers = (text) => text.match(/[\\d.]+/g).map(Number);
    const behind = (element) => {
        for (let one = element; one; one = one.parentElement) {
            const colour = numbers(getComputedStyle(one).backgroundColor);
            if (colour.length === 3 || colour[3] > 0) return colour;
        }
        return [255, 255, 255];
    };
    const low = [];
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
        const element = walk.currentNode.parentElement;
        if (!walk.currentNode.textContent.trim() || !element.checkVisibility() || element.closest("script,option")) continue;
        const style = getComputedStyle(element);
        const [a, b] = [light(numbers(style.color)), light(behind(element))].sort((x, y) => y - x);
        const large = parseFloat(style.fontSize) >= 24;
        if ((a + 0.05) / (b + 0.05) < (large ? 3 : 4.5)) low.push(walk.currentNode.textContent.trim());
    }
    return low;
}"""
UNNAMED = """() => [...document.querySelectorAll("input:not([type=hidden]),select,button,a")]
    .filter((one) => one.checkVisibility() && !one.labels?.length && !one.ariaLabel && !one.textContent.trim())
    .map((one) => one.outerHTML)"""


def test_nothing_from_outside_runs(chromium, base, database):
    words = [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "<svg/onload=alert(1)>",
        "javascript:alert(1)",
    ]
    tell(
        database,
        [event("exception", MONDAY, order=w, waybill=w, carrier=w, warehouse=w, reason=w) for w in words],
        [raised(w, w, "exception", MONDAY, w) for w in words],
    )
    with opened(chromium, base, "<img src=x onerror=alert(1)>") as page:
        expect(alerts(page)).to_have_count(4)
        page.get_by_label("All on this page").check()
        page.get_by_label("Note", exact=True).fill("<script>alert(1)</script>")
        page.get_by_role("button", name="Note").click()
        status(page, "Live")
        fill(database, 1)
        expect(alerts(page)).to_have_count(5)
        for word in words:
            page.goto("/")
            page.get_by_role("link", name=word, exact=True).click()
            expect(page.get_by_role("heading", level=1)).to_have_text(f"Order {word}")
            page.goto(link(base, word, token(word, word)))
            expect(page.locator("dd").first).to_have_text(word)
        assert page.locator("img, svg").count() == 0


def test_ten_thousand_open_alerts_are_as_usable_as_ten(chromium, base, database, capsys):
    for begin in range(0, 10_000, 2_000):
        some = range(begin, begin + 2_000)
        tell(
            database,
            [event("labeled", MONDAY, order=f"o{n}", waybill=f"t{n}", carrier="AB"[n % 2]) for n in some],
            [raised(f"o{n}", f"t{n}", KINDS[n % len(KINDS)], MONDAY + n * MINUTE, "e") for n in some],
        )
    took = {}
    with opened(chromium, base) as page:
        for name, path in (("queue", "/"), ("filtered", "/?carrier=A&kind=exception"), ("searched", "/?q=t777")):
            began = perf_counter()
            page.goto(path)
            took[name] = perf_counter() - began
        expect(alerts(page)).to_have_count(11)
        page.goto("/")
        expect(page.get_by_text("10,000 alerts, 10,000 new in all")).to_be_visible()
        expect(alerts(page)).to_have_count(50)
        status(page, "Live")
        began = perf_counter()
        tell(database, alerts=[raised("new", "new", "exception", MONDAY + 99_999 * MINUTE, "e")])
        expect(alerts(page).first).to_contain_text("new")
        took["news on the page"] = perf_counter() - began
        page.get_by_label("All on this page").check()
        began = perf_counter()
        page.get_by_role("button", name="Acknowledge", exact=True).click()
        expect(page.get_by_text("50 alerts acknowledged.")).to_be_visible()
        took["50 acknowledged"] = perf_counter() - began
    with capsys.disabled():
        print(
            "\n10,000 open alerts in a browser:", ", ".join(f"{k} {v * 1000:.0f} ms" for k, v in took.items()), end=""
        )
