"""Files of events into `raw.bundles`."""
