"""Endpoints about relays. None tells of relays that are not public."""
