"""Rules of Nostr as pure functions: events, ids, signatures, filters, relay URLs, messages."""
