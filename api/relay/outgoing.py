"""A message as it waits for its reader: parts that others have too are not copied."""

from __future__ import annotations

from typing import NamedTuple

from api.live.feed import SharedText

PLACE_BYTES = 100
"""Of a message with the text of a new event and its place in a queue (tracemalloc: 80); its opening is one for all of
its subscription."""
_END = b"]"


class Outgoing(NamedTuple):
    """A message; its bytes are put together when they are sent.

    Attributes:
        opening: what comes before the text of an event; the whole message where it has no event.
        text: JSON of an event.
        shared: the same text of a new event, with which others may wait too.
    """

    opening: bytes
    text: bytes = b""
    shared: SharedText | None = None

    @property
    def size_bytes(self) -> int:
        """What its reader is sent."""
        return len(self.opening) + len(self.text) + (len(_END) if self.text else 0)

    @property
    def own_bytes(self) -> int:
        """What it takes in memory beside what others have too."""
        return self.size_bytes if self.shared is None else PLACE_BYTES

    @property
    def buffers(self) -> tuple[bytes, ...]:
        """Its bytes, in order."""
        return (self.opening, self.text, _END) if self.text else (self.opening,)
