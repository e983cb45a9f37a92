"""Visits: bursts of scans, and the silence after them."""
