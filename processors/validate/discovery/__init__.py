"""Relays that accepted events name: what is told to the registry, once."""
