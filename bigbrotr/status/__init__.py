"""Status of the pipeline as plain values: services, lag, contents of the archive."""
