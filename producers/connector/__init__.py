"""Relay connectors: websockets to Nostr relays (NIP-01) on one side, `raw.bundles` and `coverage` on the other."""
