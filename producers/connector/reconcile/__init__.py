"""Reads by difference with the archive: only what lacks there is fetched (NIP-77)."""
