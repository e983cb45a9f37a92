"""Doors: long-running processes that are no Beam job."""
