"""Reads the archive in PostgreSQL: what every reader needs, whatever it makes of the rows.

Connections, rows as events, filters as SQL, months, coverage. Nothing here writes: tables are filled by `sinks`.
"""
