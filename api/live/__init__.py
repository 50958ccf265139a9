"""New events as they are archived: one consumer of the topic `events`, a bounded ring, subscriptions by an index."""
