"""Answers of a relay to single messages of ours, by the id that both name: OK to an event, COUNT to a COUNT."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from schemas.nostr.messages import Closed, Counted, Ok

Reply = Ok | Counted | Closed


class Replies:
    """All that are waited for on one connection."""

    def __init__(self, send: Callable[[bytes], Awaitable[None]]) -> None:
        """Ask with `send`."""
        self._send = send
        self._waiting: dict[str, asyncio.Future[Reply]] = {}

    async def ask(self, key: str, message: bytes, timeout_s: float) -> Reply | None:
        """Send a message and wait for what answers it.

        Args:
            key: the id of the event, or of what is asked.
            message: the text to send.
            timeout_s: from the moment on when it was sent.

        Returns:
            None where nothing answered it in time.

        Raises:
            RelayError: the connection has ended before it was sent.
        """
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._waiting[key] = answer
        try:
            await self._send(message)
            async with asyncio.timeout(timeout_s):
                return await answer
        except TimeoutError:
            return None
        finally:
            del self._waiting[key]

    def take(self, key: str, reply: Reply) -> bool:
        """Take an answer; False if nothing waits for it, or it is the second."""
        answer = self._waiting.get(key)
        if answer is None or answer.done():
            return False
        answer.set_result(reply)
        return True
