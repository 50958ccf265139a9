"""Publication of what probes found, as NIP-66 events of the monitor."""
