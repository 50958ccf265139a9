"""A websocket connection that hands frames on as they come, without a queue and a task switch for each.

The library's own parser costs 4.5 µs a frame, half of what a copy may cost a connector. Here whole text and binary
frames, nearly all there are, are cut out of what the socket brought and handed on at once; everything else (handshake,
control frames, fragments, frames that are too large, anything malformed) goes through the library's parser as ever.
Because frames and pongs are dealt with in the order of the stream, a pong also says that all before it is dealt with.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import CodeType
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import OPEN, Event
from websockets.streams import StreamReader

Receiver = Callable[[bytes], None]
_FRAME_START = StreamReader.at_eof.__code__
"""Where the library's parser waits between two frames. An empty buffer alone may mean that it has read a header."""
_WHOLE_FRAMES = (0x81, 0x82)
"""First byte of a text or binary frame that is final and uses no extension (RFC 6455 section 5.2)."""
_CONTROL_FRAMES = (0x88, 0x89, 0x8A)
"""Close, ping and pong, likewise; at most 125 bytes."""
_LONGEST_CONTROL = 125
_LENGTH_16, _LENGTH_64 = 126, 127
_DATA = (Opcode.TEXT, Opcode.BINARY, Opcode.CONT)
_MOST_FRAGMENTS = 4096
"""Of one message, as in the library: empty ones would be a way past the limit in bytes."""
_CLOSING_S = 2.0
"""For the relay's part of a closing handshake; afterwards the socket is cut."""
_MOST_UNSENT_BYTES = 1 << 20
"""Pongs and requests that a relay does not read. Hundreds of requests fit; pings without end would fill the memory."""


class PushConnection(ClientConnection):
    """Use it as `create_connection` of `websockets`; then call `listen`. Its `recv` never returns anything."""

    def __init__(self, *args: Any, **options: Any) -> None:
        """Take what the library hands over."""
        super().__init__(*args, **options)
        self._early: list[bytes] = []
        self._receiver: Receiver = self._early.append
        self._after: Callable[[], None] | None = None
        self._rest = bytearray()
        self._wanted = 0
        self._dealt = False
        self._fragments: list[bytes] = []
        self._cutting = False
        self._failure: Exception | None = None
        self._failed = asyncio.Event()

    def listen(self, receiver: Receiver, after: Callable[[], None]) -> None:
        """Hand every message to `receiver`, those that came already first, and call `after` when a batch is done.

        A part of a frame is no batch: a relay that sends one frame in ever smaller parts has said nothing.

        What either raises ends the listening; `failure` gives it.
        """
        self._receiver, self._after = receiver, after
        early, self._early = self._early, []
        try:
            for message in early:
                receiver(message)
        except Exception as error:  # noqa: BLE001 - raised by `failure`
            self._fail(error)

    async def failure(self) -> Exception:
        """Wait until a receiver has raised, and return what."""
        await self._failed.wait()
        assert self._failure is not None
        return self._failure

    def data_received(self, data: bytes) -> None:
        """Take what the socket brought (asyncio's protocol)."""
        if self._failure is not None:
            return
        if self._rest:
            # Not cut anew for each of the pieces that a large frame comes in: that is quadratic.
            self._rest += data
            if len(self._rest) < self._wanted and self.protocol.state is OPEN:
                return
            data = bytes(self._rest)
        self._dealt = False
        try:
            self._cut(data)
            if self._dealt and self._after is not None:
                self._after()
        except Exception as error:  # noqa: BLE001 - likewise; the transport calls this, and would only log it
            self._fail(error)
        if self.response is not None and self.protocol.state is not OPEN and not self._cutting:
            self._cutting = True
            self.loop.call_later(_CLOSING_S, self.transport.abort)

    def process_event(self, event: Event) -> None:
        """Take what the library's parser has read: handshake, control frames, fragments."""
        if self.response is None or not isinstance(event, Frame) or event.opcode not in _DATA:
            self._dealt = True
            super().process_event(event)
            if self.transport.get_write_buffer_size() > _MOST_UNSENT_BYTES:
                self.transport.abort()
            return
        self._fragments.append(bytes(event.data))
        if event.fin:
            message = b"".join(self._fragments)
            self._fragments.clear()
            self._dealt = True
            self._receiver(message)
        elif len(self._fragments) > _MOST_FRAGMENTS:
            self.protocol.fail(CloseCode.MESSAGE_TOO_BIG, "too many fragments")
            self.send_data()

    def _cut(self, data: bytes) -> None:  # noqa: C901 - one loop over bytes, run for every frame
        """Hand on the whole frames of `data`, and leave to the library what is none."""
        self._rest = bytearray()
        at, size = 0, len(data)
        receiver = self._receiver
        limit = self.protocol.max_message_size
        if not self._plain():
            super().data_received(data)
            return
        self._wanted = 2
        while size - at > 1:
            length, start = data[at + 1], at + 2
            if data[at] in _CONTROL_FRAMES and length <= _LONGEST_CONTROL:
                end = start + length
                if size < end:
                    self._wanted = end - at
                    break
                super().data_received(data[at:end])
                at = end
                if self._plain():
                    continue
                super().data_received(data[at:])
                return
            # Before the rest of a long header is waited for: the library refuses what is malformed by its first bytes.
            if data[at] not in _WHOLE_FRAMES or length > _LENGTH_64:
                super().data_received(data[at:])
                return
            if length == _LENGTH_16:
                start += 2
                length = int.from_bytes(data[at + 2 : start])
            elif length == _LENGTH_64:
                start += 8
                length = int.from_bytes(data[at + 2 : start])
            if size < start:
                self._wanted = start - at
                break
            if limit is not None and length > limit:
                super().data_received(data[at:])
                return
            end = start + length
            if size < end:
                self._wanted = end - at
                break
            self._dealt = True
            receiver(data[start:end])
            at = end
        self._rest += data[at:]

    def _plain(self) -> bool:
        """Whether the next byte begins a frame, and the library's parser is in the middle of nothing."""
        protocol = self.protocol
        return (
            protocol.state is OPEN
            and self.response is not None
            and protocol.current_size is None
            and _waits_for(protocol.parser) is _FRAME_START
        )

    def _fail(self, error: Exception) -> None:
        if self._failure is None:
            self._failure = error
            self._failed.set()
            self.transport.pause_reading()


def _waits_for(parser: Any) -> CodeType:
    """The innermost function in which a suspended generator waits."""
    while parser.gi_yieldfrom is not None:
        parser = parser.gi_yieldfrom
    code: CodeType = parser.gi_code
    return code
