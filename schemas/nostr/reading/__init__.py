"""What events say to their readers: profiles, lists of relays and people, and what refers to an event."""
