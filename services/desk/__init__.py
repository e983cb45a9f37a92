"""The desk, where people work off alerts, and the page on which a customer looks at one parcel."""
