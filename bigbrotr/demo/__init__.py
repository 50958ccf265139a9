"""The demo: local relays (nostr-sdk's), and the comparison of the archive with them."""
