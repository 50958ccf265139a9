"""The finder: HTTP APIs that list relays, asked now and then. A fallback, since public ones come and go."""
