"""Queries of those who read the archive beside the pipeline: newest events of filters, counts, versions, relays.

Each is bounded in rows and time, whatever the archive's size. `docs/reference/queries.md` has the plans.
"""
