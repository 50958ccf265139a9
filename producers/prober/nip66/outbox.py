"""The events that one relay is still to be given: the newest of each replaceable key, in the order of their coming."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from schemas.nostr.event import Event, encode_event

MOST_BYTES = 32 * 1024 * 1024
"""Of one relay that takes nothing for an hour: events of ten thousand relays, which all outboxes share."""
Key = tuple[int, str]


class Outbox:
    """What waits. An event that is too much for it is dropped, the one that has waited longest first."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        """Nothing waits yet."""
        self._most_bytes = most_bytes
        self._bytes = 0
        self._waiting: OrderedDict[Key, tuple[Event, int]] = OrderedDict()
        self._some = asyncio.Event()

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, event: Event) -> int:
        """Have an event wait, in the place of an older one of its key; returns how many are dropped for that.

        One that was taken comes back in this way too: a newer one that came meanwhile stays.
        """
        key = key_of(event)
        held = self._waiting.get(key)
        if held is not None:
            if held[0].created_at > event.created_at:
                return 0
            self._bytes -= held[1]
        size_bytes = len(encode_event(event))
        self._waiting[key] = event, size_bytes
        self._bytes += size_bytes
        dropped = 0
        while self._bytes > self._most_bytes and len(self._waiting) > 1:
            self._bytes -= self._waiting.popitem(last=False)[1][1]
            dropped += 1
        self._some.set()
        return dropped

    async def take(self) -> Event:
        """Wait for an event, and take the one that has waited longest."""
        while not self._waiting:
            self._some.clear()
            await self._some.wait()
        event, size_bytes = self._waiting.popitem(last=False)[1]
        self._bytes -= size_bytes
        return event


def key_of(event: Event) -> Key:
    """What an event of one author takes the place of (NIP-01): the older one of its kind and `d`."""
    return event.kind, next((tag[1] for tag in event.tags if tag[:1] == ["d"] and len(tag) > 1), "")
