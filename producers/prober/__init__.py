"""Probes relays: what each is, whether it works, and what it says of itself."""
