"""Flink for one machine: its jars, the options that put a command of milepost on it, and a cluster for trials."""
