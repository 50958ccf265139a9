"""Integrity of the archive: audit (ids, signatures, derived columns) and digest."""
