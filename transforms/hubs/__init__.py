"""Hub scans: the nightly half."""
