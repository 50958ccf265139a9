"""Commands that run services and show their status."""
