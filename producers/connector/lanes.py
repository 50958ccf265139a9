"""The lane of a relay that always has its live feed, and what that lane has of all that relays share.

Places, turns of the event loop, verdicts, bytes that Kafka has not taken, copies that the processor has not done with:
of each, either lane has its share. So regular relays do not delay the crawl of a priority relay, however many they are,
and priority relays do not stop the others.
"""

PRIORITY = "priority"
"""A value of `schemas.records.relay.Lane`."""
PRIORITY_SHARE = 0.25
"""Of `connector.priority_share`, where it is not set: a priority relay is read as if three others were read beside it,
and all others together lose a quarter at most."""
