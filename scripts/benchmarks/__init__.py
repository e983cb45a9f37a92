"""Benchmarks: each the real job beside a small program written by hand that does the same work."""
