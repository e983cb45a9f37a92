"""Charts of the scorecard, as SVG that follows the page: its colours are names that the page's style gives a value."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import vl_convert
from markupsafe import Markup

Row = Mapping[str, Any]

_WIDTH = 310
_MOST = 12
"""Rows of a chart; the table behind it has all."""

_INK, _QUIET, _LINE = "var(--ink)", "var(--quiet)", "var(--line)"
_MAIN, _SOFT, _HOT = "var(--main)", "var(--soft)", "var(--hot)"
_SHARES = ["var(--share-1)", "var(--share-2)", "var(--share-3)", "var(--share-4)"]


def over_time(rows: Sequence[Row]) -> Markup:
    """Draw the share of promises kept, one small chart a carrier; those with most promises, most first."""
    due: dict[str, int] = {}
    for row in rows:
        due[row["carrier"]] = due.get(row["carrier"], 0) + row["promises_due"]
    carriers = sorted(due, key=lambda carrier: (-due[carrier], carrier))[:8]
    chosen = [{**row, "since": str(row["since"])} for row in rows if row["carrier"] in carriers]
    low = min((row["kept_rate_pct"] for row in chosen), default=0)
    base = alt.Chart(alt.InlineData(values=chosen)).encode(
        x=alt.X(
            "since:T", title=None, axis=alt.Axis(format="%-d %b", tickCount=4, labelFlush=False, labelOverlap=True)
        ),
        y=alt.Y(
            "kept_rate_pct:Q",
            title=None,
            scale=alt.Scale(domain=[low // 20 * 20, 100]),
            axis=alt.Axis(values=[low // 20 * 20, 100], labelExpr="datum.value + ' %'"),
        ),
    )
    drawn = base.mark_line(color=_MAIN, strokeWidth=1.5) + base.mark_circle(color=_MAIN, size=14, opacity=1)
    rowed = drawn.properties(width=_WIDTH, height=38).facet(
        row=alt.Row("carrier:N", sort=carriers, title=None, header=_header()), spacing=8
    )
    return _svg(rowed, "Share of promises kept over time, by carrier")


def transit(rows: Sequence[Row]) -> Markup:
    """Draw how long parcels take: 80 in 100 within the thin line, half within the bar, the median in it."""
    base = _by(rows[:_MOST], "carrier")
    hours = alt.Axis(title="hours", labelFlush=False, tickCount=6)
    thin = base.mark_rule(color=_MAIN).encode(x=alt.X("p10_hours:Q", axis=hours), x2="p90_hours:Q")
    thick = base.mark_bar(color=_SOFT, size=12).encode(x=alt.X("p25_hours:Q", axis=hours), x2="p75_hours:Q")
    tick = base.mark_tick(color=_INK, thickness=2, size=16).encode(x=alt.X("p50_hours:Q", axis=hours))
    return _svg((thin + thick + tick).properties(**_size(rows)), "Hours in transit, by carrier")


def lane_map(rows: Sequence[Row]) -> Markup:
    """Draw the share of late parcels of each lane: the darker, the later, with the number in it."""
    count: dict[str, dict[str, int]] = {"origin_region": {}, "dest_region": {}}
    for row in rows:
        for side, parcels in count.items():
            parcels[row[side]] = parcels.get(row[side], 0) + row["judged"]
    busiest = {side: sorted(parcels, key=lambda name: (-parcels[name], name))[:10] for side, parcels in count.items()}
    chosen = [
        {**row, "share": f"{row['late_pct']:.0f}"}
        for row in rows
        if all(row[side] in names for side, names in busiest.items())
    ]
    base = alt.Chart(alt.InlineData(values=chosen)).encode(
        x=alt.X("dest_region:N", title="to", axis=alt.Axis(orient="top", labelAngle=-50, labelLimit=90)),
        y=alt.Y("origin_region:N", title="from", axis=alt.Axis(labelLimit=90)),
    )
    top = max((row["late_pct"] for row in chosen), default=0) or 1
    cells = base.mark_rect(fill=_HOT).encode(
        fillOpacity=alt.FillOpacity("late_pct:Q", scale=alt.Scale(domain=[0, top], range=[0.0, 0.7]), legend=None)
    )
    numbers = base.mark_text(color=_INK, fontSize=11).encode(text="share:N")
    across, down = (len({row[side] for row in chosen}) for side in ("dest_region", "origin_region"))
    size = min(36, 320 // max(across, 1))
    return _svg((cells + numbers).properties(width=size * across, height=28 * down), "Late parcels in 100, by lane")


def hubs(rows: Sequence[Row]) -> Markup:
    """Draw the median and the 90th percentile of stays at the slowest hubs."""
    timed = [row for row in rows if row["dwell_p90_min"] is not None]
    slowest = sorted(timed, key=lambda row: -row["dwell_p90_min"])[:_MOST]
    named = [{**row, "at": f"{row['hub']} ({row['carrier']})"} for row in slowest]
    base = _by(named, "at")
    minutes = alt.Axis(title="minutes", labelFlush=False, tickCount=6)
    bar = base.mark_bar(color=_SOFT, size=10).encode(
        x=alt.X("dwell_p50_min:Q", axis=minutes, scale=alt.Scale(zero=True)), x2="dwell_p90_min:Q"
    )
    tick = base.mark_tick(color=_INK, thickness=2, size=14).encode(x=alt.X("dwell_p50_min:Q", axis=minutes))
    return _svg((bar + tick).properties(**_size(named)), "Minutes at the slowest hubs")


def blame(rows: Sequence[Row]) -> Markup:
    """Draw whose the late hours are, by carrier."""
    parts = {
        "shipper": "shipper_hours",
        "carrier": "carrier_hours",
        "customer": "customer_hours",
        "external": "external_hours",
    }
    order = [row["carrier"] for row in rows[:_MOST]]
    long = [
        {"carrier": row["carrier"], "whose": whose, "hours": row[column] or 0, "place": place}
        for row in rows[:_MOST]
        for place, (whose, column) in enumerate(parts.items())
    ]
    chart = _stacked(long, "carrier", order, "hours", list(parts), "late hours")
    return _svg(chart, "Late hours by whose they are, by carrier")


def alerts(rows: Sequence[Row]) -> Markup:
    """Draw what became of warnings, by the kind of alert."""
    kinds = [row["kind"] for row in rows if row["warnings"]]
    long = [
        {"kind": row["kind"], "whose": whose, "count": count, "place": place}
        for row in rows
        if row["warnings"]
        for place, (whose, count) in enumerate(
            {
                "came true": row["came_true"],
                "on time after all": row["averted"],
                "undecided": row["warnings"] - row["came_true"] - row["averted"],
            }.items()
        )
    ]
    chart = _stacked(long, "kind", kinds, "count", ["came true", "on time after all", "undecided"], "warnings")
    return _svg(chart, "What became of warnings, by kind of alert")


def _stacked(
    rows: Sequence[Row], name: str, order: Sequence[str], amount: str, parts: Sequence[str], title: str
) -> alt.Chart:
    chart: alt.Chart = (
        alt.Chart(alt.InlineData(values=list(rows)))
        .mark_bar(size=14)
        .encode(
            x=alt.X(f"{amount}:Q", title=title, axis=alt.Axis(labelFlush=False, tickCount=6)),
            y=alt.Y(f"{name}:N", sort=list(order), title=None, axis=_names()),
            color=alt.Color(
                "whose:N",
                scale=alt.Scale(domain=list(parts), range=_SHARES[: len(parts)]),
                legend=alt.Legend(title=None, orient="top", direction="horizontal", columns=4),
            ),
            order=alt.Order("place:Q"),
        )
        .properties(width=_WIDTH, height=24 * max(len(order), 1))
    )
    return chart


def _by(rows: Sequence[Row], name: str) -> alt.Chart:
    """Begin a chart with a row for each name, in the order given."""
    return alt.Chart(alt.InlineData(values=list(rows))).encode(
        y=alt.Y(f"{name}:N", sort=[row[name] for row in rows], title=None, axis=_names())
    )


def _names() -> alt.Axis:
    return alt.Axis(labelLimit=150, ticks=False, domain=False)


def _header() -> alt.Header:
    return alt.Header(labelAngle=0, labelAlign="left", labelAnchor="start", labelOrient="top", labelPadding=2)


def _size(rows: Sequence[Row]) -> dict[str, int]:
    return {"width": _WIDTH, "height": 24 * max(min(len(rows), _MOST), 1)}


def _svg(chart: alt.TopLevelMixin, label: str) -> Markup:
    """Give a chart as an SVG element that is as wide as its place, with a label for who cannot see it."""
    text: dict[str, Any] = {
        "labelColor": _INK,
        "titleColor": _QUIET,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
    }
    styled = chart.configure(
        background="transparent",
        # Fonts of one width: what is measured here is what a page shows, wherever one of them is there.
        font="Liberation Sans, Arial, Helvetica, sans-serif",
        padding={"left": 14, "right": 14, "top": 4, "bottom": 4},
        aria=False,
        axis=alt.AxisConfig(**text, gridColor=_LINE, domainColor=_LINE, tickColor=_LINE),
        legend=alt.LegendConfig(**text),
        header=alt.HeaderConfig(labelColor=_INK, labelFontSize=13),
        view=alt.ViewConfig(stroke=None),
    )
    drawn: str = vl_convert.vegalite_to_svg(styled.to_dict())
    return Markup(drawn.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1))
