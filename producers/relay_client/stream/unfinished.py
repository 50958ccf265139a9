"""Bounds the bytes of unfinished messages over all connections of a process.

A size limit for each message bounds nothing in sum: 500 connections with half a message each would hold a gigabyte. An
honest message is unfinished for as long as it takes to send, so that few are at once, and most are small. A long one
that waits to be parsed counts as unfinished, too.
"""

from __future__ import annotations

from typing import Protocol

MOST_BYTES = 32 << 20
"""Sixteen messages of the usual limit, or two of the largest one that can be configured. A connector of 1,000 relays
that reconnect without end stays below 300 MB."""
SMALL_BYTES = 64 << 10
"""So much of a connection is not counted, so that a small message is never cut: all but one event in ten thousand are
shorter. 500 connections have 32 MiB of it at most."""


class Holder(Protocol):
    """A connection."""

    def give_up(self, size_bytes: int) -> None:
        """Drop so many bytes of an unfinished message, and end."""


class Unfinished:
    """What each connection holds. Where it is too much in sum, the one that holds most has to give up."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        """Begin with nothing held."""
        self._most_bytes = most_bytes
        self._held: dict[Holder, int] = {}
        self.bytes = 0
        """Held now, what is small left out."""

    def hold(self, holder: Holder, size_bytes: int) -> None:
        """Set what a connection holds; 0 when it has ended."""
        counted = size_bytes if size_bytes > SMALL_BYTES else 0
        self.bytes += counted - self._held.get(holder, 0)
        if counted:
            self._held[holder] = counted
        else:
            self._held.pop(holder, None)
        while self.bytes > self._most_bytes:
            # Of those that hold equally much, the one that began first: an honest message is finished sooner.
            most = max(self._held, key=self._held.__getitem__)
            size = self._held.pop(most)
            self.bytes -= size
            most.give_up(size)


UNFINISHED = Unfinished()
"""Of this process."""
