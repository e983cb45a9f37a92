"""The verbs: what is done to words, in flow order: ingest, follow, watch, visits, hubs, publish.

Each folder has its rules as plain functions and objects, and beside them a thin Beam shell.
"""
