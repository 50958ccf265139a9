"""Time that a connection may take: to close, and to read what was sent to it."""

from __future__ import annotations

import asyncio

from api.connections.bounds import Bounds


class Slowness:
    """Watches what one connection has still to read; times are those of the loop.

    Args:
        transport: of the connection.
        bounds: the times.
    """

    def __init__(self, transport: asyncio.Transport, bounds: Bounds) -> None:
        self._transport = transport
        self._bounds = bounds
        self._closing_since_s: float | None = None
        self._unread_since_s: float | None = None
        self._unread_bytes = 0

    def closes_slowly(self, now_s: float) -> bool:
        """Whether it was closed and is still there, because what was sent is not read."""
        if not self._transport.is_closing():
            return False
        if self._closing_since_s is None:
            self._closing_since_s = now_s
        return now_s - self._closing_since_s > self._bounds.close_s

    def reads_slowly(self, now_s: float) -> bool:
        """Whether something waits, and too little was read of it lately."""
        unread = self._transport.get_write_buffer_size()
        if not unread:
            self._unread_since_s = None
        elif self._unread_since_s is None or unread <= self._unread_bytes - self._bounds.read_bytes:
            self._unread_since_s, self._unread_bytes = now_s, unread
        return self._unread_since_s is not None and now_s - self._unread_since_s > self._bounds.read_s

    def has_read(self) -> None:
        """Note that so much was read that more is being sent: what waits does not get less then."""
        self._unread_since_s = None
