"""Many relays on one connector."""
