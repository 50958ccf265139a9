"""The HTTP API: REST for programs, and a read-only relay (NIP-01) for Nostr clients, over one read path.

`core.archive.queries` reads PostgreSQL; new events come from the topic `events`.
"""
