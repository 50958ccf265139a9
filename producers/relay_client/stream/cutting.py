"""Cuts frames out of what a socket brings, in turns of the event loop that are short whatever it brings.

One read may bring 256 KiB, which are 131,072 empty frames.
"""

from __future__ import annotations

from collections.abc import Callable

from websockets.protocol import OPEN, Protocol

from producers.relay_client.stream.odd_frames import LENGTH_16, LENGTH_64, OddFrames

Receiver = Callable[[bytes], None]
Step = Callable[[bytes, int, Callable[[bytes], None]], int]
_WHOLE_FRAMES = (0x81, 0x82)
"""First byte of a text or binary frame that is final and uses no extension (RFC 6455 section 5.2)."""
TURN_FRAMES = 128
"""Messages in a turn: some 10 µs each for an event, 30 µs where it is refused."""
TURN_ODD_FRAMES = 32
"""Others: some 60 µs each in the library's parser."""
_TURN_BYTES = 128 << 10
"""As JSON they take a millisecond. A longer message is a turn by itself."""


class Cutter:
    """The stream of one connection, from the first frame on."""

    def __init__(self, protocol: Protocol, odd: OddFrames) -> None:
        """Nothing came yet; `odd` says where a frame ends that is no whole message."""
        self._protocol = protocol
        self._odd = odd
        self.chunk = b""
        """What may hold frames to cut, from a place on."""
        self._at = 0
        self._wanted = 0
        self.rest = bytearray()
        """A part of a frame."""
        self.aside = 0
        """Bytes of the message that was handed on last, while its receiver does not want the next."""

    def add(self, data: bytes) -> None:
        """Take what the socket brought."""
        if self.chunk:
            self.chunk, self._at = self.chunk[self._at :] + data, 0
            return
        if self.rest:
            # Not cut anew for each of the pieces that a large frame comes in: that is quadratic.
            self.rest += data
            if len(self.rest) < self._wanted:
                return
            data, self.rest = bytes(self.rest), bytearray()
        self.chunk, self._at = data, 0

    def turn(self, receiver: Receiver, take_odd: Callable[[bytes, bool], bool]) -> bool:  # noqa: C901 - a hot loop
        """Hand on the messages of a turn; whether there was more than parts of messages.

        Args:
            receiver: takes messages.
            take_odd: takes another frame, or the bytes by which the library refuses it (then the other argument is
                true); False if it was a part of a message.
        """
        data, at = self.chunk, self._at
        size, odd_frames, end = len(data), TURN_ODD_FRAMES, at
        stop = size - 1 if size - at <= _TURN_BYTES else at + _TURN_BYTES
        whole = self._whole
        limit = self._protocol.max_message_size or size
        dealt = False
        for _ in range(TURN_FRAMES):
            if at >= stop or not odd_frames or self.aside:
                break
            length, start = data[at + 1], at + 2
            if length == LENGTH_16:
                start += 2
                length = int.from_bytes(data[at + 2 : start])
            elif length == LENGTH_64:
                start += 8
                length = int.from_bytes(data[at + 2 : start])
            elif length > LENGTH_64:
                length = size
            end = start + length
            if end <= size and length <= limit and data[at] in whole:
                receiver(data[start:end])
                at, dealt = end, True
                continue
            end, refused = self._odd.end_of(data, at)
            if end > size:
                break
            dealt |= take_odd(data[at:end], refused)
            if not self.chunk:
                return dealt
            at, whole = end, self._whole
            odd_frames -= 1
        if at == size:
            self.chunk = b""
        elif end > size or at == size - 1:
            self.rest, self._wanted = bytearray(data[at:]), max(end - at, 2)
            self.chunk = b""
        else:
            self._at = at
        return dealt

    def give(self, step: Step, feed: Callable[[bytes], None]) -> None:
        """Have what came first taken by another: `Handshake.step`."""
        self._at = step(self.chunk, self._at, feed)
        if self._at >= len(self.chunk):
            self.chunk = b""

    def drop(self) -> None:
        """Keep nothing."""
        self.chunk, self.rest = b"", bytearray()

    @property
    def _whole(self) -> tuple[int, ...]:
        """First bytes of whole messages: none within the fragments of one, and while we close."""
        return _WHOLE_FRAMES if self._protocol.state is OPEN and self._protocol.current_size is None else ()
