"""One open websocket to one relay: bounded in size, queue and time, with pings of its own."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from typing import NoReturn, Protocol

from websockets.exceptions import ConnectionClosed

from core.clock import CLOCK
from core.flag import Flag
from core.tasks import first_of, run_until_first
from core.waiting import brief
from producers.relay_client.loop_clock import loop_s
from producers.relay_client.refusals import RelayError
from producers.relay_client.stream.cutting import Receiver
from producers.relay_client.stream.turns import LaneTurns
from producers.relay_client.stream.websocket import PushConnection
from producers.relay_client.unasked import Charge

DEAD_AFTER_S = 90.0
"""Without a frame or pong, while we read: three pings of half a minute."""
CLOSE_TIMEOUT_S = 2.0
"""For the closing handshake; afterwards the socket is cut. Nothing is lost by cutting it."""
_MESSAGE_TOO_BIG = 1009
"""RFC 6455 section 7.4.1."""


class FrameTooLargeError(RelayError):
    """The relay sent a frame above the limit; the connection is gone."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__("frame_too_large", f"sent a frame of more than {limit_bytes} bytes")


class Backpressure(Protocol):
    """Whether reading rests, and until when: of `producers.send_buffer.SendBuffer`, for instance."""

    @property
    def full(self) -> bool:
        """Whether nothing more is to be read. Looked at after each batch of frames."""

    async def room(self) -> None:
        """Wait until reading may go on. What it raises ends the reading."""


class RelayConnection:
    """An open websocket. Frames are handed on as they come; any task may send."""

    def __init__(
        self, websocket: PushConnection, dialled_url: str, *, ping_interval_s: float, frame_max_bytes: int
    ) -> None:
        """Wrap an open websocket; `dialling.open_connection` makes one."""
        self._websocket = websocket
        self._ping_interval_s = ping_interval_s
        self._frame_max_bytes = frame_max_bytes
        self.dialled_url = dialled_url
        """The spelling of the relay's URL that was answered."""
        self.paused = False
        """Whether frames are left in the socket until there is room for more."""
        self.heard_at = time.monotonic()
        """When the last frame or pong came, monotonic seconds."""
        self.answered_s = 0.0
        """When the last ping was sent that was answered, wall clock. All that came before the answer is dealt with."""
        self._paused_since_pong = False
        self._resumed_s = -math.inf

    def silent_s(self, since_s: float) -> float:
        """How long nothing can have been said that we left in the socket: since a moment, or since our last pause.

        Args:
            since_s: when the relay was last heard, seconds of the loop.
        """
        return 0.0 if self.paused else loop_s() - max(since_s, self._resumed_s)

    @property
    def complete_until_s(self) -> float:
        """Until when, wall clock, everything that the relay sent is dealt with: the last frame or pong.

        After a pause the relay's own backlog stands before the next pong, so that no frame says anything until then.
        """
        if self._paused_since_pong:
            return self.answered_s
        return max(self.answered_s, self.heard_s)

    @property
    def heard_s(self) -> float:
        """When the last frame or pong came, wall clock, whatever waits in the socket."""
        return CLOCK.now_s() - (time.monotonic() - self.heard_at)

    async def read(
        self, receiver: Receiver, backpressure: Backpressure, charge: Charge, turns: LaneTurns | None = None
    ) -> None:
        """Hand every message to `receiver`, without end; the socket rests while `backpressure` is full.

        Control frames and fragments that nothing waits for are told to `charge`. It has `turns` of the event loop among
        other connections; None: it shares them with none.

        Raises:
            RelayError: the connection has ended.
            Exception: what `receiver`, `charge` or `backpressure` raised.
        """
        websocket, full = self._websocket, Flag()

        def after() -> None:
            # What the socket brought and is not dealt with yet came before now.
            if not websocket.behind:
                self.heard_at = time.monotonic()
            if backpressure.full:
                self.paused = self._paused_since_pong = True
                websocket.hold()
                full.set()

        websocket.listen(receiver, after, charge, turns)
        while True:
            await first_of(websocket.over, full)
            if websocket.over.is_set():
                raise self._why_over()
            full.clear()
            await run_until_first(self._raise_when_over(), self._go_on(backpressure))

    async def _go_on(self, backpressure: Backpressure) -> None:
        await backpressure.room()
        self.paused = False
        self._resumed_s = loop_s()
        self._websocket.go_on()

    async def _raise_when_over(self) -> NoReturn:
        await self._websocket.over.wait()
        raise self._why_over()

    def _why_over(self) -> Exception:
        return self._websocket.failure or self._ended(self._websocket.close_exc)

    def put_aside(self, size_bytes: int) -> None:
        """Leave in line what follows a message that `receiver` was just given and cannot deal with at once.

        Call it from `receiver` with the size of the message, which is bounded over all connections, and have
        `backpressure` be full until the message is dealt with; then call it with 0.
        """
        self._websocket.put_aside(size_bytes)

    async def send(self, message: bytes) -> None:
        """Send one text message.

        Raises:
            RelayError: the connection has ended.
        """
        try:
            await self._websocket.send(message, text=True)
        except ConnectionClosed as error:
            raise self._ended(error) from error

    async def keep_alive(self) -> None:
        """Ping again and again.

        Raises:
            RelayError: nothing was heard for too long while we were reading, or the connection has ended.
        """
        while True:
            sent_s = CLOCK.now_s()
            try:
                pong = await self._websocket.ping()
                async with asyncio.timeout(self._ping_interval_s):
                    await pong
            except ConnectionClosed as error:
                raise self._ended(error) from error
            except TimeoutError:
                # Pongs stand in line behind the frames that we leave in the socket.
                if self.paused:
                    self.heard_at = time.monotonic()
                if time.monotonic() - self.heard_at > DEAD_AFTER_S:
                    raise RelayError("silent", f"nothing was heard for {DEAD_AFTER_S:.0f} s") from None
                continue
            self.heard_at = time.monotonic()
            self.answered_s = sent_s
            self._paused_since_pong = self.paused
            await asyncio.sleep(self._ping_interval_s)

    async def close(self) -> None:
        """Close, with the handshake if the relay is quick about it. Never raises."""
        try:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(CLOSE_TIMEOUT_S):
                    await self._websocket.close()
        finally:
            # A close with a full queue can hang (websockets issue 1555), and a stop may cut it short.
            self.cut()

    def cut(self) -> None:
        """End the connection at once, whatever it waits for; a close that is under way is over then."""
        self._websocket.transport.abort()

    def _ended(self, error: ConnectionClosed) -> RelayError:
        if error.sent is not None and error.sent.code == _MESSAGE_TOO_BIG:
            return FrameTooLargeError(self._frame_max_bytes)
        return RelayError("disconnected", f"the connection ended: {brief(error)}")
