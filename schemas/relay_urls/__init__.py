"""URLs of relays: their normal form, the host that each names, and whose domain that is."""
