"""The senders' own lists, as their documents have them, and the cross-walk from them to stages.

Written down from the documents, not from the tables: what a reader would hold beside them.
"""

EASYPOST_STATUSES = [
    "pre_transit",
    "in_transit",
    "out_for_delivery",
    "delivered",
    "available_for_pickup",
    "return_to_sender",
    "failure",
    "cancelled",
    "canceled",
    "error",
]
EASYPOST_DETAILS = [
    "address_correction",
    "arrived_at_destination",
    "arrived_at_facility",
    "arrived_at_pickup_location",
    "awaiting_information",
    "cancelled",
    "damaged",
    "delayed",
    "delivery_exception",
    "departed_facility",
    "departed_origin_facility",
    "expired",
    "failure",
    "held",
    "in_transit",
    "label_created",
    "lost",
    "missorted",
    "out_for_delivery",
    "received_at_destination_facility",
    "received_at_origin_facility",
    "refused",
    "return",
    "status_update",
    "transferred_to_destination_carrier",
    "transit_exception",
    "unknown",
    "weather_delay",
]

SHIPPO = [
    "PRE_TRANSIT",
    "TRANSIT",
    "DELIVERED",
    "RETURNED",
    "FAILURE",
    "information_received",
    "address_issue",
    "contact_carrier",
    "delayed",
    "delivery_attempted",
    "delivery_rescheduled",
    "delivery_scheduled",
    "location_inaccessible",
    "notice_left",
    "out_for_delivery",
    "package_accepted",
    "package_arrived",
    "package_damaged",
    "package_departed",
    "package_forwarded",
    "package_held",
    "package_processed",
    "package_processing",
    "pickup_available",
    "reschedule_delivery",
    "delivered",
    "return_to_sender",
    "package_unclaimed",
    "package_undeliverable",
    "package_disposed",
    "package_lost",
]

AFTERSHIP = [
    *[
        "Pending",
        "InfoReceived",
        "InTransit",
        "OutForDelivery",
        "AttemptFail",
        "Delivered",
        "AvailableForPickup",
        "Exception",
        "Expired",
    ],
    *(f"Pending_{n:03}" for n in range(1, 7)),
    "InfoReceived_001",
    *(f"InTransit_{n:03}" for n in range(1, 10)),
    *(f"OutForDelivery_{n:03}" for n in (1, 3, 4)),
    *(f"AttemptFail_{n:03}" for n in range(1, 4)),
    *(f"Delivered_{n:03}" for n in range(1, 6)),
    "AvailableForPickup_001",
    *(f"Exception_{n:03}" for n in (*range(1, 14), *range(16, 22))),
    "Expired_001",
]

SHIPENGINE = [
    "AC",
    "IT",
    "DE",
    "EX",
    "AT",
    "NY",
    "SP",
    "SHIPMENT_CREATED",
    "AWAITING_PICKUP_DROP_OFF",
    "DROPPED_OFF",
    "ELEC_ADVICE_RECD_BY_CARRIER",
    "PICKED_UP",
    "CUSTOMS_CLEARED",
    "CUSTOMS_PROCESSING",
    "DELIVERY_ARRANGED_WITH_RECIPIENT",
    "HUB_SCAN_OUT",
    "HUB_SCAN_IN",
    "IN_TRANSIT",
    "INFORMATION",
    "PARCEL_OVER_LABELLED",
    "PARCEL_UPDATE_NOTIFICATION",
    "RECEIVED_BY_CARRIER",
    "RECEIVED_LOCAL_DELIVERY_DEPOT",
    "SUB_CONTRACTOR_EVENT",
    "SUB_CONTRACTOR_RECEIVED",
    "PARCEL_REDIRECTED",
    "DELIVERY_SCHEDULED",
    "HUB_PROCESSING",
    "DELIVERY_RESCHEDULED",
    "ATTEMPTED_DELIVERY",
    "ATTEMPTED_DELIVERY_FINAL",
    "COD_AMOUNT_PAID",
    "CUSTOMER_CARDED",
    "OUT_FOR_DELIVERY",
    "AWAITING_COLLECTION_FROM_PICKUP_POINT",
    "COLLECT_AT_LOCAL_PO",
    "CUSTOMER_TO_COLLECT_FROM_CARRIER",
    "DELIVERED_TO_RECEPTION",
    "DELIVERED",
    "DELIVERED_DAMAGED",
    "DELIVERED_IN_PART",
    "DELIVERED_SPECIFIED_SAFE_PLACE",
    "DELIVERED_TO_ALTERNATIVE_DELIVERY_LOCATION",
    "DELIVERED_TO_NEIGHBOUR",
    "DELIVERED_TO_PO_BOX",
    "PARCEL_COLLECTED_FROM_PICKUP_POINT",
    "POST_TRANSIT_STATUS",
    "PROOF_OF_DELIVERY",
    "PICKUP_FAILED",
    "NOT_YET_RECEIVED_BY_CARRIER",
    "PARCEL_DAMAGED",
    "ADDRESS_QUERY",
    "CARRIER_DELAYS",
    "DELAYED_NOT_CARRIER",
    "HELD_BY_CARRIER",
    "HELD_BY_CARRIER_FOR_CLEARANCE_PRE_PROCESSING",
    "HELD_BY_CUSTOMS",
    "INCORRECT_DECLARATION",
    "MISROUTED",
    "PARCEL_REPACKED",
    "RECD_BY_CARRIER_NO_ELEC_ADVICE",
    "COD_AMOUNT_NOT_PAID",
    "CUSTOMER_IDENTIFICATION_FAILED",
    "NO_ACCESS_TO_RECIPIENTS_ADDRESS",
    "CANCELLED",
    "CUSTOMER_MOVED",
    "HAZARDOUS_PROHIBITED",
    "NOT_COLLECTED_FROM_PICKUP_POINT",
    "NOT_DELIVERED",
    "NOT_DELIVERED_ADDRESSEE_DECEASED",
    "PARCEL_DISPOSED",
    "PARCEL_LOST",
    "PARCEL_OUTSIDE_OF_SERVICE_CAPABILITY",
    "REFUSED_BY_CUSTOMER",
    "RETURN_TO_SENDER",
    "UNSPECIFIED_EXCEPTION",
    "TRACKING_EXPIRED",
    "DUTY_NOT_PAID",
    "PARCEL_REDIRECTED_BY_CARRIER",
    "DELIVERED_TO_PICKUP_POINT",
    "UNDELIVERABLE_RETURNED_TO_SENDER",
]

SEVENTEEN_TRACK = [
    "InfoReceived",
    "NotFound_Other",
    "NotFound_InvalidCode",
    "InTransit_PickedUp",
    "InTransit_Departure",
    "InTransit_Arrival",
    "InTransit_Other",
    "Expired_Other",
    "AvailableForPickup_Other",
    "OutForDelivery_Other",
    "DeliveryFailure_NoBody",
    "DeliveryFailure_Security",
    "DeliveryFailure_Rejected",
    "DeliveryFailure_InvalidAddress",
    "DeliveryFailure_Other",
    "Delivered_Other",
    "Exception_Returning",
    "Exception_Returned",
    "Exception_NoBody",
    "Exception_Security",
    "Exception_Damage",
    "Exception_Damaged",
    "Exception_Rejected",
    "Exception_Delayed",
    "Exception_Lost",
    "Exception_Destroyed",
    "Exception_Cancel",
    "Exception_Other",
    "PickedUp",
    "Departure",
    "Arrival",
    "AvailableForPickup",
    "OutForDelivery",
    "Delivered",
    "Returning",
    "Returned",
]

SHIPROCKET = """
    1 AWB Assigned · 2 Label Generated · 3 Pickup Scheduled · 4 Pickup Queued · 5 Manifest Generated · 6 Shipped · 7 Delivered ·
    8 Cancelled · 9 RTO Initiated · 10 RTO Delivered · 11 Pending · 12 Lost · 13 Pickup Error · 14 RTO Acknowledged ·
    15 Pickup Rescheduled · 16 Cancellation Requested · 17 Out For Delivery · 18 In Transit · 19 Out For Pickup ·
    20 Pickup Exception · 21 Undelivered · 22 Delayed · 23 Partial Delivered · 24 Destroyed · 25 Damaged · 26 Fulfilled ·
    38 Reached Destination Hub · 39 Misrouted · 40 RTO NDR · 41 RTO OFD · 42 Picked Up · 43 Self Fulfilled · 44 Disposed Off ·
    45 Cancelled Before Dispatched · 46 RTO In Transit · 47 QC Failed · 48 Reached Warehouse · 49 Custom Cleared ·
    50 In Flight · 51 Handover to Courier · 52 Shipment Booked · 54 In Transit Overseas · 55 Connection Aligned ·
    56 Reached Overseas Warehouse · 57 Custom Cleared Overseas · 59 Box Packing · 60 FC Allocated · 61 Picklist Generated ·
    62 Ready to Pack · 63 Packed · 67 FC Manifest · 68 Processed at Warehouse · 71 Handover Exception · 72 Packed Exception ·
    75 RTO Lock · 76 Untraceable · 77 Issue related to recipient · 78 Reached Back at Seller City
"""

CLICKPOST = [
    "1",
    "2",
    "3",
    "4",
    "5",
    "6",
    "7",
    "8",
    "9",
    "10",
    "11",
    "12",
    "13",
    "14",
    "15",
    "16",
    "17",
    "18",
    "19",
    "20",
    "21",
    "23",
    "25",
    "26",
    "27",
    "28",
    "30",
    "31",
    "32",
    "101",
    "1004",
]
CLICKPOST_NDR = [str(ndr) for ndr in range(14)]

DELHIVERY = [
    *(("UD", status) for status in ("Manifested", "Not Picked", "In Transit", "Pending", "Dispatched")),
    *(("DL", status) for status in ("Delivered", "RTO", "DTO")),
    *(("RT", status) for status in ("In Transit", "Pending", "Dispatched")),
    *(("PP", status) for status in ("Open", "Scheduled", "Dispatched")),
    *(("PU", status) for status in ("In Transit", "Pending", "Dispatched")),
    *(("CN", status) for status in ("Canceled", "Closed")),
]

CROSSWALK = """
| canonical | EasyPost | Shippo | AfterShip | ShipEngine | Delhivery | ClickPost | Shiprocket | 17TRACK | UPS |
| labeled | pre_transit/label_created | information_received | InfoReceived_001 | SHIPMENT_CREATED | UD/Manifested/ | 1/ 28/ | 1 2 5 | InfoReceived | 3 79 80 157 |
| carrier_scanned | in_transit/received_at_origin_facility | package_accepted | InTransit_002 | AC PICKED_UP | UD/In Transit/X-PPOM | 4/ | 42 | InTransit_PickedUp | 38 160 |
| hub_in | in_transit/arrived_at_facility | package_arrived | InTransit_003 | HUB_SCAN_IN | UD/In Transit/X-PIOM UD/In Transit/X-IBD3F | 1004/ | 38 48 | InTransit_Arrival | I/AR/ |
| hub_out | in_transit/departed_facility | package_departed | InTransit_007 | HUB_SCAN_OUT | UD/In Transit/X-DLL2F | | 55 | InTransit_Departure | I/DP/ |
| out_for_delivery | out_for_delivery/out_for_delivery | out_for_delivery | OutForDelivery_001 | OUT_FOR_DELIVERY | UD/Dispatched/ | 6/ | 17 | OutForDelivery_Other | 6 21 37 89 91 146 162 |
| attempt_failed | failure/delivery_exception | delivery_attempted notice_left | AttemptFail_001 AttemptFail_002 AttemptFail_003 | AT ATTEMPTED_DELIVERY | | 9/1 9/2 | 21 | DeliveryFailure_NoBody DeliveryFailure_Other | 22 23 24 60 145 |
| available_for_pickup | available_for_pickup/available_for_pickup | pickup_available | AvailableForPickup_001 | SP | | 9/10 | | AvailableForPickup_Other | 17 40 161 |
| delivered | delivered/delivered | delivered | Delivered_001 Delivered_002 Delivered_003 Delivered_004 Delivered_005 | DE | DL/Delivered/ | 8/ | 7 | Delivered_Other | 11 26 |
| exception carrier_damaged_parcel | in_transit/damaged failure/damaged | package_damaged | Exception_012 | PARCEL_DAMAGED DELIVERED_DAMAGED | | 17/ | 25 | Exception_Damage | 59 |
| * consignee_incorrect_address | in_transit/address_correction | address_issue | Exception_007 | ADDRESS_QUERY | | 9/6 | | DeliveryFailure_InvalidAddress | 50 |
| lost carrier_parcel_lost | in_transit/lost failure/lost | package_lost | Exception_013 | PARCEL_LOST | | 16/ | 12 76 | Exception_Lost | 68 |
| return_started | return_to_sender/return | return_to_sender | Exception_010 | RETURN_TO_SENDER | RT/In Transit/ | 11/ 12/ 21/ | 9 46 | Exception_Returning | 33 35 36 |
| returned | return_to_sender/finalized | RETURNED | Exception_011 | UNDELIVERABLE_RETURNED_TO_SENDER | DL/RTO/ | 14/ | 10 | Exception_Returned | 34 67 81 |
| cancelled | cancelled/cancelled | | Exception_020 | CANCELLED | CN/Canceled/ | 10/ | 8 45 | Exception_Cancel | 7 |
"""
"""Each stage, with the reason where it has one; `*` where senders differ between an exception and a failed attempt."""

KARRIO = {
    "carrier": "damaged_parcel sorting_error address_not_found parcel_lost not_enough_time vehicle_issue capacity_exceeded "
    "mechanical_delay",
    "retailer": "cancelled incorrect_data not_ready incorrect_parcel incorrect_dimensions packaging_issue",
    "consignee": "refused business_closed not_available not_home cancelled verification_failed incorrect_address "
    "access_restricted safe_place_unavailable",
    "customs": "delay documentation duties_unpaid prohibited inspection",
    "weather": "delay",
}
REASONS = {f"{whose}_{what}" for whose, all_of_it in KARRIO.items() for what in all_of_it.split()}
