"""The newest events of the topic `events`, in the order in which they were read, up to a bound in bytes."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from sys import getsizeof

from core.archive.queries.view import Audience, audience
from schemas.nostr.event import Event
from schemas.nostr.tag_memory import tags_bytes

_EVENT_BYTES = 800
"""Of an event without content, tags and text: 600 of the event itself, 200 of its places in the ring (tracemalloc)."""
_FIELDS_BYTES = 320
"""Of the text of an event without tags and content."""
_FIELDS_STRINGS = 11
"""Strings in that text: seven names and four values."""


@dataclass(slots=True)
class SharedText:
    """The JSON of a new event as messages wait with it: without the event, which may take twenty times as much.

    Attributes:
        text: the JSON.
        waiting: how many messages wait with it until they are sent.
    """

    text: bytes
    waiting: int = 0


@dataclass(slots=True)
class LiveEvent:
    """A new event and its JSON text, encoded once for all subscriptions.

    Attributes:
        event: the event.
        text: its JSON.
        shared: the same, for those who need the text alone.
        size_bytes: what it takes in memory, rather too much than too little.
    """

    event: Event
    text: bytes
    shared: SharedText = field(init=False, repr=False, compare=False)
    size_bytes: int = field(init=False, repr=False, compare=False)
    _audience: Audience | None = field(default=None, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Count its memory, once."""
        self.shared = SharedText(self.text)
        self.size_bytes = _memory_bytes(self.event, self.text)

    @property
    def audience(self) -> Audience:
        """Who may see it, found once for all subscriptions."""
        if self._audience is None:
            self._audience = audience(self.event)
        return self._audience


def _memory_bytes(event: Event, text: bytes) -> int:
    """What an event and its text take; quick for an event of 100,000 tags too."""
    size_bytes = _EVENT_BYTES + getsizeof(text) + getsizeof(event.content)
    if event.tags:
        # Their characters are in the text. A string that holds one beyond Latin-1 takes two or four bytes for each.
        width = 1 if text.isascii() else 4
        size_bytes += max(0, len(text) - len(event.content) - _FIELDS_BYTES) * width
        size_bytes += tags_bytes(len(event.tags), text.count(b'"') // 2 - _FIELDS_STRINGS)
    return size_bytes


class NotKeptError(Exception):
    """What the archive had not yet written when it was read is no longer kept, or not read: there would be a seam."""


class _Entry:
    """A place in the ring; `live` is None once the event was erased."""

    __slots__ = ("live", "offset", "partition", "size_bytes")

    def __init__(self, partition: int, offset: int, live: LiveEvent) -> None:
        self.partition = partition
        self.offset = offset
        self.live: LiveEvent | None = live
        self.size_bytes = live.size_bytes


class Ring:
    """Keeps events from `floors` up to but not including `positions`, all of them but what was erased.

    An event whose id is kept is not kept again: the processor may publish one twice.

    Args:
        kept_bytes: of memory, which the newest event alone may exceed: then nothing is kept.

    Attributes:
        positions: by partition, the next offset to be read.
        size_bytes: of what is kept.
    """

    def __init__(self, kept_bytes: int) -> None:
        self._kept_bytes = kept_bytes
        self._entries: deque[_Entry] = deque()
        self._by_id: dict[str, _Entry] = {}
        self._floors: dict[int, int] = {}
        self.positions: dict[int, int] = {}
        self.size_bytes = 0

    def begin(self, offsets: Mapping[int, int]) -> None:
        """Forget everything, and keep what comes from these offsets on; of no partition where there is none."""
        self._entries.clear()
        self._by_id.clear()
        self._floors = dict(offsets)
        self.positions = dict(offsets)
        self.size_bytes = 0

    def __len__(self) -> int:
        return len(self._by_id)

    def append(self, partition: int, offset: int, live: LiveEvent) -> bool:
        """Keep an event, in place of the oldest; False where it was read before, or is kept already."""
        if offset < self.positions[partition]:
            return False
        self.positions[partition] = offset + 1
        if live.event.id in self._by_id:
            return False
        entry = _Entry(partition, offset, live)
        self._entries.append(entry)
        self._by_id[live.event.id] = entry
        self.size_bytes += entry.size_bytes
        while self.size_bytes > self._kept_bytes:
            self._drop_oldest()
        return True

    def reach(self, partition: int, offset: int) -> None:
        """Note that there is nothing more to keep below this offset."""
        self.positions[partition] = max(offset, self.positions[partition])

    def erase(self, event_id: str) -> None:
        """Keep this event no longer, if it is kept."""
        if (entry := self._by_id.pop(event_id, None)) is not None:
            entry.live = None
            self.size_bytes -= entry.size_bytes

    def loses_unwritten(self, more_bytes: int, written: Mapping[int, int]) -> bool:
        """Whether so many more bytes would drop an event that is at or above these offsets."""
        excess = self.size_bytes + more_bytes - self._kept_bytes
        for entry in self._entries:
            if excess <= 0:
                return False
            if entry.live is not None:
                if entry.offset >= written.get(entry.partition, 0):
                    return True
                excess -= entry.size_bytes
        return False

    def since(self, offsets: Mapping[int, int]) -> list[LiveEvent]:
        """The events from these offsets on, in order.

        Raises:
            NotKeptError: they are not of the partitions that are read, or lie before what is kept.
        """
        if not self.positions:
            raise NotKeptError("new events are not read")
        if offsets.keys() != self.positions.keys():
            raise NotKeptError("the archive is not written from the partitions that are read")
        if any(offset < self._floors[partition] for partition, offset in offsets.items()):
            raise NotKeptError("the archive is further behind than new events are kept")
        # From the newest on: most of what is kept was written before the archive was read.
        pending = {partition for partition, offset in offsets.items() if offset < self.positions[partition]}
        found: list[LiveEvent] = []
        for entry in reversed(self._entries):
            if not pending:
                break
            if entry.offset < offsets[entry.partition]:
                pending.discard(entry.partition)
            elif entry.live is not None:
                found.append(entry.live)
        found.reverse()
        return found

    def _drop_oldest(self) -> None:
        entry = self._entries.popleft()
        self._floors[entry.partition] = entry.offset + 1
        if entry.live is not None:
            del self._by_id[entry.live.event.id]
            self.size_bytes -= entry.size_bytes
