"""What a processor knows already, in memory: events, and the relays that are known to have them."""
