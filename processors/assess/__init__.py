"""The assess agent: folds probes, what connectors report and what other monitors claim into the health of relays.

It runs in the registry's process, beside the registry.
"""
