"""Records that an operator publishes: the relays to read, and erasures."""
