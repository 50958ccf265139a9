"""The demo: relays that are not ours, and the comparison of the archive with them."""
