"""The scorecard: a page that is whole, that says what the reports say, and that nothing in the data can act on."""

import datetime
import html.parser
import re

import pytest

from pipelines import scorecard
from pipelines.cli import main
from pipelines.scorecard import FIGURES, PANELS_SHOWN
from pipelines.scorecard import scorecard as page
from schemas.alerts import raised
from schemas.fields import HOUR
from schemas.rows import HubLeg, Shipment
from tests.pipelines.lakes import put
from tests.pipelines.test_report import SITUATIONS, START, WAY, event, journey

FIRST, LAST = datetime.date(2026, 3, 2), datetime.date(2026, 3, 8)
HOSTILE = "\"><script>alert(1)</script><img src=x onerror=alert(1)>'&</svg>\x1b[31m</style>{{7*7}}"
VOID = {"meta", "wbr"}


class Page(html.parser.HTMLParser):
    """A page taken apart: its elements, the text in them, and that each one opened is closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.found, self.text = [], [], ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.text += data

    def count(self, tag):
        return sum(found == tag for found, _ in self.found)


def fill(lake, **said):
    """Something for every panel: late and timely parcels, a stay, a shipment with blame, a warning."""
    events = [e for n in range(3) for e in journey(f"L{n}", *WAY, ("delivered", 50 + n), **said)]
    events += [e for n in range(3) for e in journey(f"O{n}", *WAY, ("delivered", 40 + n), **said)]
    put(lake, "events", *events)
    carrier = said.get("carrier", "acme")
    put(lake, "hub_legs", HubLeg(carrier, "T1", said.get("hub", "H"), START, START + HOUR, False, False, 2, 60.0))
    put(lake, "hub_legs", HubLeg(carrier, "T2", said.get("hub", "H"), START, None, False, False, 1, None))
    known = dict.fromkeys(Shipment.__struct_fields__) | {
        "order_id": "L0", "tracking_number": "T1", "carrier": carrier, "first_event_ts": START, "last_event_ts": START,
        "events": 1, "hub_scans": 0, "hub_legs": 0, "attempts_failed": 0, "exceptions": 0, "current_stage": "delivered",
        "outcome": "late", "late_minutes": 120.0, "late_by_shipper": 30.0, "late_by_carrier": 60.0,
        "late_by_customer": 20.0, "late_by_external": 10.0,
    }  # fmt: skip
    put(lake, "shipments", Shipment(**known))
    put(lake, "alerts", raised("L0", "T1", "sla_at_risk", START + 44 * HOUR, "e"))


def test_the_page_has_every_figure_and_every_chart_with_its_numbers(lake):
    fill(lake)
    made = Page(page(lake.path, FIRST, LAST))
    assert made.count("figure") == made.count("figcaption") == len(PANELS_SHOWN) == made.count("table")
    charts = [attrs for tag, attrs in made.found if tag == "svg"]
    assert len(charts) == len(PANELS_SHOWN)
    assert all(attrs["role"] == "img" and attrs["aria-label"] for attrs in charts)
    assert all(figure.name in made.text for figure in FIGURES)


def test_the_page_needs_nothing_else_and_runs_nothing(lake):
    fill(lake)
    made = Page(page(lake.path, FIRST, LAST))
    assert {tag for tag, _ in made.found} & {
        "script",
        "link",
        "img",
        "iframe",
        "image",
        "foreignobject",
        "use",
    } == set()
    assert not [attrs for _, attrs in made.found if {"src", "href", "xlink:href", "onclick", "onload"} & attrs.keys()]
    assert "default-src 'none'" in [attrs.get("content", "") for tag, attrs in made.found if tag == "meta"][-1]
    assert "url(" not in page(lake.path, FIRST, LAST)


def test_nothing_in_the_data_gets_out_of_its_place(lake):
    plain = lake.path.parent / "plain"
    fill(lake.__class__(plain).check(create=True))
    names = ("carrier", "warehouse_id", "origin_region", "dest_region", "hub")
    fill(lake, **dict.fromkeys(names, HOSTILE))
    hostile = page(lake.path, FIRST, LAST)
    made, harmless = Page(hostile), Page(page(plain, FIRST, LAST))
    assert [tag for tag, _ in made.found if tag in ("script", "img", "style")] == ["style"]
    assert {(tag, *attrs) for tag, attrs in made.found} == {(tag, *attrs) for tag, attrs in harmless.found}
    assert "<script>alert(1)</script>" in made.text, "it is shown as it is, but as text"
    assert "\x1b" not in hostile


def test_headline_figures_are_compared_with_as_many_days_before(lake):
    before = [e for n in range(4) for e in journey(f"B{n}", *((stage, hour - 24 * 7) for stage, hour in WAY))]
    put(lake, "events", *before)
    fill(lake)
    made = Page(page(lake.path, FIRST, LAST)).text
    assert "2026-03-02 to 2026-03-08" in made
    assert "compared with 2026-02-23 to 2026-03-01" in made
    assert "▲ 2 from 4" in made
    assert "50.0 %" in made


@pytest.mark.parametrize(
    ("name", "now", "before", "told"),
    [
        ("kept_rate_pct", 91.0, 90.0, ("▲ 1.0 points better than 90.0 %", "better")),
        ("kept_rate_pct", 90.0, 91.0, ("▼ 1.0 points worse than 91.0 %", "worse")),
        ("late", 3, 5, ("▼ 2 better than 5", "better")),
        ("transit_p50_hours", 40.0, 30.0, ("▲ 10.0 h worse than 30.0 h", "worse")),
        ("parcels", 1200, 1000, ("▲ 200 from 1,000", "same")),
        ("lost", 2, 2, ("as before (2)", "same")),
        ("kept_rate_pct", None, 2.0, ("nothing to compare with", "same")),
        ("kept_rate_pct", 2.0, None, ("nothing to compare with", "same")),
    ],
)
def test_a_change_is_told_in_words(name, now, before, told):
    figure = next(figure for figure in FIGURES if figure.column == name)
    assert tuple(scorecard._change(figure, now, before).values()) == told


def test_lanes_in_chronic_delay_are_named(lake):
    put(lake, "events", *(e for n in range(40) for e in journey(f"S{n}", *WAY, ("delivered", 50 if n % 2 else 40))))
    put(lake, "events", *(e for n in range(60) for e in journey(f"O{n}", *WAY, ("delivered", 40), dest_region="west")))
    made = Page(page(lake.path, FIRST, LAST)).text
    assert "acme, north → south: 50 in 100 late, of all its lanes 20" in made


def test_a_period_without_parcels_is_a_page_too(lake):
    made = Page(page(lake.path, FIRST, LAST))
    assert made.text.count("Nothing to show.") == len(PANELS_SHOWN)
    put(lake, "events", *SITUATIONS, event("picked", 24 * 60, "much later", carrier=None, origin_region=None))
    assert Page(page(lake.path, FIRST, FIRST + datetime.timedelta(days=99))).count("svg")


def test_the_command_writes_the_page_whole_or_not_at_all(lake, tmp_path, capsys):
    fill(lake)
    out = tmp_path / "page.html"
    words = ["scorecard", "--lake", str(lake.path), "--from", "2026-03-02", "--out", str(out)]
    assert main([*words, "--to", "2026-03-01"]) == 2
    assert re.fullmatch(r"milepost: The period ends .* before it begins .*\.\n", capsys.readouterr().err)
    assert not out.exists()
    assert main([*words, "--to", "2026-03-08"]) == 0
    assert Page(out.read_text(encoding="utf-8")).count("h1") == 1
