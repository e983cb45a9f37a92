"""The night written by hand in Polars: one script, the same files and events in, the same answers out.

It knows no transactions, no second night, no corrected files and no quarantine, and it knows beforehand what the files
hold. `python -m scripts.benchmarks.night_in_polars DROP EVENTS OUT`.
"""

import datetime
import json
import sys
from pathlib import Path

import polars as pl

from scripts.benchmarks.files_in_polars import CODES, STAGE, read_scans
from scripts.benchmarks.night_in_duckdb import STAGES

PARCEL = ["carrier", "tracking_number"]
SHOP = ["picked", "packed", "labeled"]
CRITICAL = ["carrier_scanned", "exception", "out_for_delivery", "attempt_failed", "available_for_pickup", "delivered",
    "failed", "lost", "return_started", "returned"]  # fmt: skip
CLOSING = ["cancelled", "failed", "lost", "delivered", "return_started", "returned"]
FINAL = ["delivered", "returned", "lost", "cancelled", "failed"]
GONE = ["out_for_delivery", "attempt_failed", "available_for_pickup", *CLOSING]
AT_HUB = ["hub_in", "in_transit", "hub_out"]
TOLERANCE = datetime.timedelta(minutes=10)


def legs_of(scans: pl.DataFrame, carried: pl.DataFrame) -> pl.DataFrame:
    """Give the stays of every waybill at its hubs: whole columns, no groups until a leg is known."""
    seen = scans.filter(pl.col("stage").is_in([*AT_HUB, *GONE])).select(*PARCEL, "hub", "stage", ts=pl.col("scan_ts"))
    heard = carried.filter(pl.col("stage").is_in(GONE)).select(*PARCEL, "stage", hub=pl.lit(""), ts="event_ts")
    kinds = {"hub_in": 0, "in_transit": 1, "hub_out": 2}
    place = pl.int_range(pl.len())
    at_hub = pl.col("kind") != 3
    return (
        pl.concat([seen, heard.select(seen.columns)])
        .lazy()
        .select(*PARCEL, "hub", "ts", kind=pl.col("stage").replace_strict(kinds, default=3, return_dtype=pl.Int8))
        .sort(*PARCEL, "ts", "kind", "hub")
        .with_columns(first=pl.struct(PARCEL).ne_missing(pl.struct(PARCEL).shift(1)))
        .with_columns(
            begin=pl.when("first").then(place).forward_fill(),
            hub_at=pl.when(at_hub).then(place).forward_fill().shift(1),
            hub_before=pl.when(at_hub).then("hub").forward_fill().shift(1),
            gate_at=pl.when(pl.col("kind") != 1).then(place).forward_fill().shift(1),
            gate=pl.when(pl.col("kind") != 1).then("kind").forward_fill().shift(1),
        )
        .with_columns(
            known=(pl.col("hub_at") >= pl.col("begin")).fill_null(False),
            out=((pl.col("gate_at") >= pl.col("begin")) & (pl.col("gate") >= 2)).fill_null(False),
        )
        .with_columns(
            starts=at_hub
            & (~pl.col("known") | (pl.col("hub") != pl.col("hub_before")) | ((pl.col("kind") == 0) & pl.col("out")))
        )
        .with_columns(leg=pl.col("starts").cum_sum())
        .filter(at_hub | pl.col("known"))
        .group_by("leg", maintain_order=True)
        .agg(
            pl.first(*PARCEL, "hub"),
            in_ts=pl.first("ts"),
            in_inferred=pl.first("kind") != 0,
            scanned_out=pl.col("ts").filter(pl.col("kind") == 2).max(),
            gone=pl.col("ts").filter(pl.col("kind") == 3).min(),
            scans=at_hub.sum(),
        )
        .with_columns(next=pl.when(pl.struct(PARCEL) == pl.struct(PARCEL).shift(-1)).then(pl.col("in_ts").shift(-1)))
        .with_columns(out_ts=pl.coalesce("scanned_out", pl.min_horizontal("gone", "next")))
        .select(
            *PARCEL,
            "hub",
            "in_ts",
            "out_ts",
            "in_inferred",
            "scans",
            out_inferred=pl.col("scanned_out").is_null() & pl.col("out_ts").is_not_null(),
            dwell_minutes=(pl.col("out_ts") - pl.col("in_ts")).dt.total_microseconds() / 60e6,
        )
        .sort("out_ts", "scans", descending=True, nulls_last=True)
        .unique([*PARCEL, "hub", "in_ts"], keep="first")
        .collect()
    )


def compare(
    scans: pl.DataFrame, carried: pl.DataFrame, parcels: pl.DataFrame, horizon: datetime.datetime
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Give the findings about milestones, and the scans that are taken as events."""
    key = [*PARCEL, "stage"]
    told = carried.filter(pl.col("stage").is_in(CRITICAL)).group_by(key).agg(live_ts=pl.min("event_ts"))
    critical = scans.lazy().filter(pl.col("stage").is_in(CRITICAL))
    filed = (
        critical.filter(pl.col("scan_ts") <= horizon)
        .group_by(key)
        .agg(batch_ts=pl.min("scan_ts"), reason=pl.col("reason").sort_by("scan_ts").first(), scans=pl.len())
        .collect()
    )
    covered = (
        critical.select("carrier", "stage", day=pl.col("scan_ts").dt.date()).unique().with_columns(covered=pl.lit(True))
    )
    both = (
        told.lazy()
        .join(filed.lazy(), on=key, how="full", coalesce=True)
        .join(parcels.lazy().select(*PARCEL, "order_id", "labeled_ts"), on=PARCEL)
        .with_columns(
            day=pl.col("live_ts").dt.date(),
            plausible=(pl.col("batch_ts") >= pl.col("labeled_ts") - TOLERANCE).fill_null(True),
            apart=pl.col("batch_ts") - pl.col("live_ts"),
        )
        .join(covered, on=["carrier", "stage", "day"], how="left")
        .collect()
    )
    no_event, no_scan, sooner = (
        pl.col("live_ts").is_null(), pl.col("batch_ts").is_null(), pl.col("apart") < -TOLERANCE
    )  # fmt: skip
    findings = both.filter(no_event | (no_scan & pl.col("covered")) | (pl.col("apart").abs() > TOLERANCE)).select(
        *key,
        "order_id",
        "live_ts",
        "batch_ts",
        scans=pl.col("scans").fill_null(0),
        finding=pl.when(no_event & pl.col("plausible"))
        .then(pl.lit("missed_live"))
        .when(no_scan)
        .then(pl.lit("missed_batch"))
        .otherwise(pl.lit("time_conflict")),
        counts=pl.when(no_scan)
        .then(pl.lit("live"))
        .when(no_event)
        .then(pl.when("plausible").then(pl.lit("batch")).otherwise(pl.lit("")))
        .when(sooner & pl.col("plausible"))
        .then(pl.lit("batch"))
        .otherwise(pl.lit("live")),
    )
    fed = both.filter(pl.col("plausible") & pl.col("batch_ts").is_not_null() & (no_event | sooner)).select(
        *PARCEL, "order_id", "stage", "reason", event_ts="batch_ts"
    )
    return findings, fed


def strays(
    scans: pl.DataFrame, known: pl.DataFrame, parcels: pl.DataFrame, horizon: datetime.datetime
) -> list[pl.DataFrame]:
    """Give the findings about scans after the end of the journey, and about waybills that nobody knows."""

    def first(stages: list[str]) -> pl.Expr:
        return pl.col("event_ts").filter(pl.col("stage").is_in(stages)).min()

    ends = (
        known.filter(pl.col("stage").is_in(CLOSING))
        .group_by("tracking_number")
        .agg(final=first(FINAL), back=first(["return_started"]), returned=first(["returned"]))
    )
    after = (
        scans.lazy()
        .filter(~pl.col("stage").is_in(CLOSING), pl.col("scan_ts") <= horizon)
        .join(ends.lazy(), on="tracking_number")
        .with_columns(ended=pl.when(pl.col("scan_ts") >= pl.col("back")).then("returned").otherwise("final"))
        .filter(pl.col("scan_ts") > pl.col("ended") + TOLERANCE)
        .join(parcels.lazy().select(*PARCEL, "order_id"), on=PARCEL)
        .group_by(*PARCEL, "stage", "order_id")
        .agg(live_ts=pl.col("ended").sort_by("scan_ts").first(), batch_ts=pl.min("scan_ts"), scans=pl.len())
        .with_columns(finding=pl.lit("after_terminal"), counts=pl.lit("live"))
        .collect()
    )
    unknown = (
        scans.join(parcels, on=PARCEL, how="anti")
        .group_by(PARCEL)
        .agg(batch_ts=pl.min("scan_ts"), scans=pl.len(), stage=pl.max("stage"))
        .with_columns(finding=pl.lit("unknown_waybill"), counts=pl.lit(""))
    )
    return [after, unknown]


def blame(judged: pl.DataFrame, known: pl.DataFrame, scans: pl.DataFrame) -> pl.DataFrame:
    """Split late minutes by whose they are."""
    heard = known.filter(~pl.col("stage").is_in([*SHOP, "cancelled"])).select(
        "tracking_number", "stage", "reason", ts="event_ts"
    )
    troubles = (
        heard.filter(pl.col("stage").is_in(["exception", "attempt_failed"]))
        .group_by("tracking_number", "ts")
        .agg(reason=pl.col("reason").fill_null("").min())
        .sort("ts")
    )
    later = (
        pl.concat([heard.select("tracking_number", "ts"), scans.select("tracking_number", ts="scan_ts")])
        .join(troubles, on="tracking_number", how="semi")
        .unique()
        .sort("ts")
        .with_columns(until="ts")
    )
    lasted = troubles.join_asof(
        later, on="ts", by="tracking_number", strategy="forward", allow_exact_matches=False, check_sortedness=False
    )
    party = pl.col("reason").str.split("_").list.first()
    took = (
        lasted.join(judged.select("tracking_number", "ended_at"), on="tracking_number")
        .filter(pl.col("ts") < pl.col("ended_at"))
        .with_columns(taken=(pl.min_horizontal("until", "ended_at") - pl.col("ts")).dt.total_microseconds())
        .group_by("tracking_number")
        .agg(
            external=pl.col("taken").filter(party.is_in(["customs", "weather"])).sum(),
            customer=pl.col("taken").filter(party == "consignee").sum(),
            shipper=pl.col("taken").filter(party == "retailer").sum(),
        )
    )

    def over(first: str, then: str, limit: int) -> pl.Expr:
        spent = (pl.col(then) - pl.col(first)).dt.total_microseconds() - limit * 60_000_000
        return pl.max_horizontal(spent, 0).fill_null(0)

    late = pl.col("late")
    overrun = over("picked_at", "packed_at", 30) + over("labeled_at", "carrier_scanned_at", 120)
    return (
        judged.join(took, on="tracking_number", how="left")
        .with_columns(late=(pl.col("ended_at") - pl.col("promised_delivery_ts")).dt.total_microseconds())
        .with_columns(pl.col("external", "customer").fill_null(0), shipper=pl.col("shipper").fill_null(0) + overrun)
        .with_columns(external=pl.min_horizontal("late", "external"))
        .with_columns(customer=pl.min_horizontal(late - pl.col("external"), "customer"))
        .with_columns(shipper=pl.min_horizontal(late - pl.col("external") - pl.col("customer"), "shipper"))
        .with_columns(carriers=late - pl.sum_horizontal("external", "customer", "shipper"))
        .with_columns(
            pl.when(late.is_not_null()).then(pl.col(name) / 60e6).alias(column)
            for name, column in {
                "late": "late_minutes", "external": "late_by_external", "customer": "late_by_customer",
                "shipper": "late_by_shipper", "carriers": "late_by_carrier",
            }.items()
        )
        .drop("ended_at", "late", "external", "customer", "shipper", "carriers")
    )  # fmt: skip


def judge(known: pl.DataFrame, parcels: pl.DataFrame, horizon: datetime.datetime) -> pl.DataFrame:
    """Give a row a parcel: its milestones, and where its promise stands."""
    reached = (
        known.lazy()
        .group_by("tracking_number")
        .agg(
            first_event_ts=pl.min("event_ts"),
            last_event_ts=pl.max("event_ts"),
            events=pl.len(),
            closed_at=pl.col("event_ts").filter(pl.col("stage").is_in(CLOSING)).min(),
            current_stage=pl.max("stage"),
            **{f"{stage}_at": pl.col("event_ts").filter(pl.col("stage") == stage).min() for stage in STAGES},
        )
        .collect()
    )
    delivered, promise = pl.col("delivered_at"), pl.col("promised_delivery_ts")
    back = pl.min_horizontal("return_started_at", "returned_at")
    outcome = pl.when(delivered <= promise).then(pl.lit("on_time")).when(delivered.is_not_null()).then(pl.lit("late"))
    for stage in ("returned", "return_started", "lost", "failed", "cancelled"):
        outcome = outcome.when(pl.col(f"{stage}_at").is_not_null()).then(pl.lit(stage))
    return (
        parcels.join(reached, on="tracking_number")
        .with_columns(delivered_at=pl.when(~(back < delivered).fill_null(False)).then(delivered))
        .with_columns(
            outcome=outcome.when(promise < horizon)
            .then(pl.lit("breached"))
            .when(promise - datetime.timedelta(hours=4) <= horizon)
            .then(pl.lit("at_risk"))
            .otherwise(pl.lit("on_track"))
        )
        .with_columns(
            ended_at=pl.when(pl.col("outcome") == "late")
            .then(delivered)
            .when(pl.col("outcome") == "breached")
            .then(pl.lit(horizon))
        )
    )


def write(frame: pl.DataFrame, out: str, name: str, ts: str, order: list[str], also: list[str]) -> None:
    """Write a table as sorted zstd Parquet, partitioned by day and other columns."""
    frame.lazy().with_columns(service_date=pl.col(ts).dt.date()).sort(order).sink_parquet(
        pl.PartitionBy(f"{out}/{name}", key=["service_date", *also], include_key=False), compression="zstd", mkdir=True
    )


def night(drop: str, events_at: str, out: str) -> None:
    """Do it all."""
    scans = read_scans(drop).collect(engine="streaming").sort("carrier", "tracking_number", "scan_ts", "code", "hub")
    write(scans, out, "hub_scans", "scan_ts", ["tracking_number", "scan_ts", "code", "hub"], ["carrier"])
    events = (
        pl.scan_parquet(f"{events_at}/*/*.parquet")
        .select(
            "order_id", "tracking_number", "stage", "event_ts", "reason", "carrier", "customer_id", "warehouse_id",
            "origin_region", "dest_region", "declared_value", "currency", "promised_delivery_ts",
        )
        .with_columns(pl.col("stage").cast(STAGE), pl.col("carrier").cast(pl.Enum(list(CODES))))
        .collect()
    )  # fmt: skip
    horizon = events["event_ts"].max()
    assert isinstance(horizon, datetime.datetime)
    names = ["customer_id", "warehouse_id", "origin_region", "dest_region", "currency", "promised_delivery_ts"]
    parcels = (
        events.lazy()
        .sort("event_ts")
        .group_by("order_id", "tracking_number")
        .agg(
            *(pl.col(name).drop_nulls().first() for name in ["carrier", *names]),
            declared_value=pl.max("declared_value"),
            labeled_ts=pl.col("event_ts").filter(pl.col("stage") == "labeled").first(),
        )
        .collect()
    )
    carried = events.filter(~pl.col("stage").is_in(SHOP))
    legs = legs_of(scans, carried)
    write(legs, out, "hub_legs", "in_ts", ["tracking_number", "hub", "in_ts"], ["carrier"])
    findings, fed = compare(scans, carried, parcels, horizon)
    columns = ["order_id", "tracking_number", "stage", "event_ts", "reason"]
    known = pl.concat([events.select(columns), fed.select(columns)])
    findings = pl.concat([findings, *strays(scans, known, parcels, horizon)], how="diagonal_relaxed").with_columns(
        at_ts=pl.coalesce("batch_ts", "live_ts")
    )
    write(findings, out, "findings", "at_ts", ["tracking_number", "finding", "stage"], ["carrier"])
    scanned = scans.lazy().group_by(PARCEL).agg(hub_scans=pl.len(), first_scan_ts=pl.min("scan_ts"))
    stayed = legs.lazy().group_by(PARCEL).agg(hub_legs=pl.len(), hub_minutes=pl.sum("dwell_minutes"))
    shipments = (
        blame(judge(known, parcels, horizon), known, scans)
        .lazy()
        .join(scanned, on=PARCEL, how="left")
        .join(stayed, on=PARCEL, how="left")
        .with_columns(pl.col("hub_scans", "hub_legs").fill_null(0))
        .collect()
    )
    write(shipments, out, "shipments", "first_event_ts", ["order_id", "tracking_number"], [])
    seen = pl.col("dwell_minutes").filter(~pl.col("in_inferred"), ~pl.col("out_inferred"))
    hubs = legs.group_by("carrier", "hub").agg(
        pl.len(),
        p50=seen.quantile(0.5, "linear"),
        p90=seen.quantile(0.9, "linear"),
        over_12h=(pl.col("dwell_minutes") > 720).sum(),
    )
    print(*hubs.sort("carrier", "hub").rows(), sep="\n")
    answer = {
        "hub_scans": [[scans.height]],
        "legs": [[legs.height, round(legs["dwell_minutes"].sum())]],
        "findings": findings.group_by("finding", "counts").agg(pl.len(), pl.sum("scans")).sort(pl.all()).rows(),
        "shipments": shipments.group_by("outcome")
        .agg(
            pl.len(),
            late=pl.when(pl.col("late_minutes").count() > 0).then(pl.sum("late_minutes").round()),
            carriers=pl.when(pl.col("late_by_carrier").count() > 0).then(pl.sum("late_by_carrier").round()),
            scans=pl.sum("hub_scans"),
        )
        .sort("outcome")
        .rows(),
    }
    Path(out, "answer.json").write_text(json.dumps(answer))


if __name__ == "__main__":
    night(*sys.argv[1:])
