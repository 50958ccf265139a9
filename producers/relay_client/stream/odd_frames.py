"""Frames that are no whole message: control frames, fragments, and what is malformed; the library's parser takes them.

It is given one frame at a time, so that it is never in the middle of one, and that each can be counted and charged.
"""

from __future__ import annotations

from collections.abc import Callable, Container

from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import CLOSING, OPEN, Protocol

from producers.relay_client.unasked import Charge, OneASecond, Unasked

LENGTH_16, LENGTH_64 = 126, 127
"""In place of a length: it follows in 2 or 8 bytes (RFC 6455 section 5.2). What is above is a masked frame."""
_OPCODES = frozenset(Opcode)
_OPCODE_BITS = 0x0F
_PING, _PONG, _CLOSE = 0x89, 0x8A, 0x88
"""First bytes of control frames, final and without extensions."""
_LONGEST_CONTROL = 125
_MOST_FRAGMENTS = 4096
"""Of one message, as in the library: empty ones would be a way past the limit in bytes."""
_FREE_FRAGMENTS = 2
"""Of each message: the first and the last may be of any size."""
_FRAGMENT_BYTES = 512
"""The others are free as long as they are so long on average. Servers cut messages at 1 KiB or more."""
MOST_UNSENT_BYTES = 64 << 10
"""Above it pings are not answered, which RFC 6455 section 5.5.3 allows: who does not read what we write needs none."""


class OddFrames:
    """Those of one connection."""

    def __init__(self, protocol: Protocol, awaited: Container[bytes]) -> None:
        """Judge frames for a protocol, which awaits these pongs."""
        self._protocol = protocol
        self._awaited = awaited
        self._pings = OneASecond()
        self._fragments = 0
        self._overrun = False
        self.message = bytearray()
        """What came of a fragmented message."""

    @property
    def deaf(self) -> bool:
        """Whether nothing of the stream matters any more but its end."""
        protocol = self._protocol
        return (
            self._overrun
            or protocol.close_rcvd is not None
            or protocol.parser_exc is not None
            or protocol.state not in (OPEN, CLOSING)
        )

    def end_of(self, data: bytes, at: int) -> tuple[int, bool]:
        """Where a frame ends, which may be behind the data; and whether the library refuses it by the bytes before."""
        length, start = data[at + 1], at + 2
        if length > LENGTH_64 or data[at] & _OPCODE_BITS not in _OPCODES:
            return start, True
        if length >= LENGTH_16:
            start += 2 if length == LENGTH_16 else 8
            if len(data) < start:
                return start, False
            length = int.from_bytes(data[at + 2 : start])
        limit = self._protocol.max_message_size
        if limit is not None and length > limit - len(self.message):
            return start, True
        return start + length, False

    def passes(self, frame: bytes, unsent: Callable[[], int], charge: Charge) -> bool:
        """Charge a whole frame if nothing waits for it; whether the library must see it.

        Args:
            frame: none that the library refuses by its first bytes.
            unsent: how many bytes wait to be sent to the relay.
            charge: called with what it is.

        Raises:
            RelayError: the relay went beyond what it may cost.
        """
        first = frame[0]
        if self._protocol.state is not OPEN:
            # We close: all that matters is the relay's part of it.
            return first == _CLOSE
        if frame[1] > _LONGEST_CONTROL:
            return True
        if first == _PING:
            if not self._pings.free():
                charge(Unasked.PING, len(frame))
            return unsent() <= MOST_UNSENT_BYTES
        if first == _PONG and frame[2:] not in self._awaited:
            charge(Unasked.PONG, len(frame))
            return False
        return True

    def join(self, fragment: Frame, charge: Charge) -> bytes | None:
        """Add a fragment, which the library has let pass; the message if it is the last.

        Raises:
            RelayError: the relay went beyond what it may cost.
        """
        self.message += fragment.data
        self._fragments += 1
        if self._fragments > _FREE_FRAGMENTS + len(self.message) // _FRAGMENT_BYTES:
            charge(Unasked.FRAGMENT, len(fragment.data))
        if fragment.fin:
            message = bytes(self.message)
            self.drop()
            return message
        if self._fragments > _MOST_FRAGMENTS:
            self._overrun = True
            self._protocol.fail(CloseCode.MESSAGE_TOO_BIG, "too many fragments")
        return None

    def drop(self) -> None:
        """Keep nothing of a message."""
        self.message, self._fragments = bytearray(), 0
