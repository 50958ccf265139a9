"""The connector's ends of the registry: which of its relays are read, and what is told of them."""
