"""Names become addresses that may be connected to."""
