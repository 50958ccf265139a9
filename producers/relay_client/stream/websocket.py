"""A websocket connection that hands messages on as they come, without a queue and a task switch for each.

The library's own parser costs 4.5 µs a frame, half of what a copy may cost a connector. Here whole text and binary
frames, nearly all there are, are cut out of what the socket brought and handed on at once; everything else (handshake,
control frames, fragments, frames that are too large, anything malformed) goes through the library's parser as ever.
Because frames and pongs are dealt with in the order of the stream, a pong also says that all before it is dealt with.

What one read brings is dealt with in turns of the event loop, each of them short; the socket rests until the last. What
nothing waits for is charged, and what stays unfinished is bounded over all connections.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from traceback import clear_frames
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.frames import Frame, Opcode
from websockets.protocol import Event

from core.flag import Flag
from producers.relay_client.refusals import RelayError
from producers.relay_client.stream.cutting import Cutter, Receiver
from producers.relay_client.stream.handshake import Handshake
from producers.relay_client.stream.odd_frames import OddFrames
from producers.relay_client.stream.turns import LaneTurns, Turn
from producers.relay_client.stream.unfinished import SMALL_BYTES, UNFINISHED
from producers.relay_client.unasked import Charge, Unasked

_FINAL = 0x80
"""First bit of the last frame of a message."""
_DATA = (Opcode.TEXT, Opcode.BINARY, Opcode.CONT)
_CLOSING_S = 2.0
"""For the relay's part of a closing handshake; afterwards the socket is cut."""


class PushConnection(ClientConnection):
    """Use it as `create_connection` of `websockets`; then call `listen`. Its `recv` never returns anything."""

    # In the library's dictionary they would be more than Python shares the names of: 1.2 KB for each connection.
    __slots__ = (
        *("_opened", "_receiver", "_after", "_charge", "_handshake", "_odd", "_cutter", "_turns", "_turn", "_cutting"),
        *("_held", "_resting", "_deaf", "_counted", "failure", "over"),
    )

    def __init__(self, *args: Any, opened: Callable[[], None] | None = None, **options: Any) -> None:
        """Take what the library hands over; `opened` is called once the socket, with its TLS, is there."""
        super().__init__(*args, **options)
        self._opened = opened or _ignore
        self._receiver: Receiver = _ignore
        self._after: Callable[[], None] = _ignore
        self._charge: Charge = _ignore
        self._handshake = Handshake()
        self._odd = OddFrames(self.protocol, self.pending_pings)
        self._cutter = Cutter(self.protocol, self._odd)
        self._turns: LaneTurns | None = None
        self._turn: asyncio.Handle | Turn | None = None
        self._cutting: asyncio.Handle | None = None
        self._held = True
        self._resting = False
        self._deaf = False
        self._counted = False
        self.failure: Exception | None = None
        """What a receiver has raised, while the connection is there."""
        self.over = Flag()
        """Set once a receiver has raised, or the connection has ended."""

    def listen(
        self, receiver: Receiver, after: Callable[[], None], charge: Charge, turns: LaneTurns | None = None
    ) -> None:
        """Hand every message to `receiver`, those that came already first, and call `after` when a batch is done.

        A part of a frame is no batch: a relay that sends one frame in ever smaller parts has said nothing. What nothing
        waits for is told to `charge`. What any of them raises ends the listening and is the `failure`. It has `turns`
        among other connections; None: it shares them with none.
        """
        self._turns = turns
        self._receiver, self._after, self._charge = receiver, after, charge
        self._held = False
        self._work()

    @property
    def behind(self) -> bool:
        """Whether something that the socket brought is not dealt with yet."""
        return bool(self._cutter.chunk)

    def put_aside(self, size_bytes: int) -> None:
        """Hand on nothing behind a message of so many bytes until it is dealt with (0), and count it as unfinished.

        For a receiver; its `after` is to `hold`.
        """
        self._cutter.aside = size_bytes
        self._count()

    def hold(self) -> None:
        """Hand on nothing, and leave in the socket what is there, until `go_on` is called."""
        self._held = self._resting = True
        self.transport.pause_reading()

    def go_on(self) -> None:
        """Go on after `hold`."""
        self._held = False
        self._schedule()

    def give_up(self, size_bytes: int) -> None:
        """End, because all connections together hold too much that is unfinished, and this one most of it."""
        error = RelayError("unfinished", f"held {size_bytes} bytes of an unfinished message, the most of all relays")
        try:
            self._charge(Unasked.UNFINISHED, size_bytes)
        except RelayError as over:
            error = over
        self._fail(error)
        self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake (asyncio's protocol)."""
        super().connection_made(transport)
        self._opened()

    def data_received(self, data: bytes) -> None:
        """Take what the socket brought (asyncio's protocol)."""
        if not self._deaf:
            self._cutter.add(data)
            if self._turn is None:
                if self.response is None or self._turns is None or self._turns.take():
                    self._work()
                else:
                    self._schedule()

    def connection_lost(self, exc: Exception | None) -> None:
        """Keep nothing that has a size, and no cycle: the collector comes every ten seconds (asyncio's protocol)."""
        super().connection_lost(exc)
        self._drop()
        self._receiver = self._after = self._charge = _ignore
        self.failure = None
        self.over.set()
        self.protocol.reader.discard()
        self.protocol.parser.close()
        if self.protocol.parser_exc is not None:
            clear_frames(self.protocol.parser_exc.__traceback__)

    def process_event(self, event: Event) -> None:
        """Take what the library's parser has read: handshake, control frames, fragments."""
        if self.response is None or not isinstance(event, Frame) or event.opcode not in _DATA:
            super().process_event(event)
            return
        if (message := self._odd.join(event, self._charge)) is not None:
            self._receiver(message)

    def _work(self) -> None:
        """Deal with a turn's part of what is there, and see to it that the next turn follows."""
        self._turn = None
        cutter = self._cutter
        try:
            if self.response is None:
                cutter.give(self._handshake.step, super().data_received)
                self._count()
                self._end_if(self.protocol.handshake_exc is not None)
            elif cutter.chunk and not self._held and cutter.turn(self._receiver, self._take_odd):
                self._after()
        except Exception as error:  # noqa: BLE001 - told as `failure`; the transport would only log it
            self._fail(error)
            if self.response is None:
                self.transport.abort()
            return
        if len(cutter.rest) > SMALL_BYTES or self._odd.message or self._counted:
            self._count()
        if cutter.chunk or self._resting:
            self._schedule()

    def _schedule(self) -> None:
        if self.over.is_set():
            return
        waits = self._held and self.response is not None and self._cutting is None
        if self._cutter.chunk:
            if not self._resting:
                self._resting = True
                self.transport.pause_reading()
            if self._turn is None and not waits:
                soon = self.loop.call_soon if self._turns is None else self._turns.soon
                self._turn = soon(self._work)
        elif self._resting and not waits:
            self._resting = False
            self.transport.resume_reading()

    def _take_odd(self, frame: bytes, refused: bool) -> bool:  # noqa: FBT001 - as `Cutter` calls it
        if refused or self._odd.passes(frame, self.transport.get_write_buffer_size, self._charge):
            super().data_received(frame)
            self._end_if(self._odd.deaf)
        return refused or frame[0] >= _FINAL

    def _end_if(self, over: bool) -> None:  # noqa: FBT001 - the condition
        """Read nothing any more but the end of the stream, and wait for that only for a while."""
        if over and self._cutting is None:
            self.send_data()
            self._drop()
            self._cutting = self.loop.call_later(_CLOSING_S, self.transport.abort)

    def _count(self) -> None:
        parts = len(self._cutter.rest) + len(self._odd.message) + self._cutter.aside
        held = self._handshake.bytes if self.response is None else parts
        if not self._deaf and (held > SMALL_BYTES or self._counted):
            self._counted = held > SMALL_BYTES
            UNFINISHED.hold(self, held)

    def _fail(self, error: Exception) -> None:
        if not self.over.is_set():
            # It may be kept for an hour, and what was read with it.
            clear_frames(error.__traceback__)
            self.failure = error
            self.over.set()
            self._drop()
            self.transport.pause_reading()

    def _drop(self) -> None:
        self._deaf = True
        self._cutter.drop()
        self._odd.drop()
        UNFINISHED.hold(self, 0)
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None


def _ignore(*_: object) -> None:
    """Before there is a listener, and when the connection has ended."""
