"""Commands that run services, and tell how they are."""
