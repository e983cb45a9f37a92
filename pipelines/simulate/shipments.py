"""One parcel in one row, as it should stand once the night is over."""

from typing import Optional

from pipelines.simulate.blame import Evidence, share
from pipelines.simulate.hubs import Filed
from pipelines.simulate.journey import Journey, Step
from pipelines.simulate.reckon import Times
from pipelines.simulate.stays import Stay
from schemas.fields import HOUR, MINUTE, Micros
from schemas.rows import Shipment
from schemas.stages import CLOSING_STAGES, RANK

AT_RISK = 4 * HOUR

_GIVEN_UP = tuple(sorted(CLOSING_STAGES - {"delivered"}, key=RANK.__getitem__, reverse=True))


def shipment_of(journey: Journey, events: list[Step], scans: list[Filed], stays: list[Stay], times: Times) -> Shipment:
    """Give the row of a parcel, all but what depends on the horizon."""
    by_carrier = any(step.stage not in ("picked", "packed") for step in events)
    revised = [step.promise for step in events if step.promise is not None]
    dwells = [end - stay.start for stay in stays if (end := stay.end()) is not None]
    at = times.get
    return Shipment(
        order_id=journey.order_id,
        tracking_number=journey.tracking_number,
        customer_id=journey.customer_id,
        warehouse_id=journey.warehouse.name,
        carrier=journey.carrier.name if by_carrier else None,
        origin_region=journey.warehouse.region,
        dest_region=journey.dest,
        declared_value=journey.declared_value,
        currency=journey.warehouse.currency,
        first_event_ts=events[0].ts,
        last_event_ts=events[-1].ts,
        events=len(events),
        hub_scans=len(scans),
        first_scan_ts=min((scan.ts for scan in scans), default=None),
        hub_legs=len(stays),
        hub_minutes=sum(dwells) / MINUTE if dwells else None,
        picked_at=at("picked"),
        packed_at=at("packed"),
        labeled_at=at("labeled"),
        carrier_scanned_at=at("carrier_scanned"),
        in_transit_at=at("in_transit"),
        hub_in_at=at("hub_in"),
        hub_out_at=at("hub_out"),
        exception_at=at("exception"),
        out_for_delivery_at=at("out_for_delivery"),
        attempt_failed_at=at("attempt_failed"),
        available_for_pickup_at=at("available_for_pickup"),
        delivered_at=_delivered(times),
        failed_at=at("failed"),
        lost_at=at("lost"),
        cancelled_at=at("cancelled"),
        return_started_at=at("return_started"),
        returned_at=at("returned"),
        closed_at=min((times[s] for s in times if s in CLOSING_STAGES), default=None),
        attempts_failed=sum(step.stage == "attempt_failed" for step in events),
        exceptions=sum(step.stage == "exception" for step in events),
        promised_delivery_ts=journey.first_promise,
        latest_promised_delivery_ts=revised[-1] if revised else journey.first_promise,
        current_stage=max(times, key=RANK.__getitem__),
        outcome=next((stage for stage in _GIVEN_UP if stage in times), ""),
        late_minutes=None,
        late_by_shipper=None,
        late_by_carrier=None,
        late_by_customer=None,
        late_by_external=None,
    )


def settle(row: Shipment, evidence: Evidence, horizon: Micros) -> None:
    """Fill in outcome and lateness, which depend on the horizon unless the parcel was delivered or given up."""
    promise, until = row.promised_delivery_ts, row.delivered_at
    if until is None and row.outcome:
        return
    if promise is None:
        row.outcome = "no_promise"
        return
    if until is not None:
        row.outcome = "on_time" if until <= promise else "late"
    elif horizon > promise:
        row.outcome, until = "breached", horizon
    else:
        row.outcome = "at_risk" if promise - horizon <= AT_RISK else "on_track"
    if until is not None and until > promise:
        shares = share(evidence, until - promise, until)
        row.late_minutes = (until - promise) / MINUTE
        row.late_by_shipper = shares.shipper / MINUTE
        row.late_by_carrier = shares.carrier / MINUTE
        row.late_by_customer = shares.customer / MINUTE
        row.late_by_external = shares.external / MINUTE


def _delivered(times: Times) -> Optional[Micros]:
    """Give when the customer had it: what comes to the door of the shop once it was sent back is no delivery."""
    delivered = times.get("delivered")
    back = min((times[stage] for stage in ("return_started", "returned") if stage in times), default=None)
    return None if delivered is not None and back is not None and back < delivered else delivered
