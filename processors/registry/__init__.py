"""The registry of relays: decides which of the relays that are named are read, and which are left alone."""
