"""Publish rows to the lake, each once."""
