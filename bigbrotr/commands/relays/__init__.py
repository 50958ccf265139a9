"""Commands about relays: what is known of them, and which are read."""
