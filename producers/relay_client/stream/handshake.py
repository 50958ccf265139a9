"""The answer to a handshake, given to the library's parser in small parts, and not one byte of what follows it.

What follows are frames, which are cut by `websocket.py`. A refusal has a body, and that may come in a million chunks.
"""

from __future__ import annotations

from collections.abc import Callable

from producers.relay_client.refusals import RelayError

_TURN_BYTES = 4096
"""In a turn of the event loop: a common answer is shorter, and as chunks of one byte it takes 5 ms."""
MOST_BYTES = 1 << 20
"""In all: more than the pages that come with refusals, and as much as the library takes of a body."""
_END = b"\r\n\r\n"


class Handshake:
    """The answer on one connection."""

    def __init__(self) -> None:
        """Nothing came yet."""
        self._tail = b""
        self._headers_ended = False
        self.bytes = 0
        """Given to the parser."""

    def step(self, chunk: bytes, at: int, feed: Callable[[bytes], None]) -> int:
        """Feed a part of a chunk, to the end of the headers at most.

        Returns:
            Where the rest of the chunk begins.

        Raises:
            RelayError: the answer is too long.
        """
        part = chunk[at : at + _TURN_BYTES]
        if not self._headers_ended:
            seen = self._tail + part
            end = seen.find(_END)
            if end >= 0:
                self._headers_ended = True
                part = part[: end + len(_END) - len(self._tail)]
            self._tail = seen[1 - len(_END) :]
        self.bytes += len(part)
        if self.bytes > MOST_BYTES:
            raise RelayError("unreachable", f"answered the handshake with more than {MOST_BYTES} bytes")
        feed(part)
        return at + len(part)
