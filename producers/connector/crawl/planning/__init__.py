"""Decides what is asked next of a filter's range, and what an answer settles. Pure rules, without clock or I/O.

`planner` is what the crawl calls; what it asks is in `steps`.
"""
