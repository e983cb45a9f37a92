"""The sentences: one deployable graph a file, and the commands of `milepost`."""
