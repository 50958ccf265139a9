"""Probes relays: checks, what they say together, and when which is due."""
