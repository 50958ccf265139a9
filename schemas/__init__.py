"""Schemas: Nostr event rules as pure functions, the records of every topic, and the topic table.

Nothing here does I/O, except the script that writes `examples/`, and nothing here imports another package of ours, so
that any downstream tool can read our topics with this package alone. `examples/` holds one message per topic; the
contract tests read and write them.
"""
