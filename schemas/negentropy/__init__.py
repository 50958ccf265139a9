"""Set reconciliation by fingerprints of ranges, protocol version 1 (NIP-77)."""
