"""What an operator writes to topics: the relays that are read, and what is erased."""
