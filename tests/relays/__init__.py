"""Relays that tests run against: two implementations that are not ours, and scripted ones that misbehave on purpose."""
