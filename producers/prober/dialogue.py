"""The conversation of one probe with one relay: open for a block, and closed at its end, whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from pydantic import SecretStr

from core.tasks import cancel, first_of
from core.waiting import brief
from producers.prober.intake import ProbeIntake
from producers.relay_client.client import RelayClient
from producers.relay_client.connection import RelayConnection
from producers.relay_client.frames import FrameReader
from producers.relay_client.refusals import RelayError

T = TypeVar("T")
_LAST_TURNS = 32
"""Of the event loop, once the connection has ended: an answer that came right before needs a handful of them until what
waits for it has returned."""


class _Unpaused:
    """Back-pressure that never is: a probe takes little, and keeps none of it (`Backpressure`)."""

    full = False

    async def room(self) -> None:
        """There always is."""


class Dialogue:
    """What is asked of one relay, as long as the connection lasts."""

    def __init__(self, client: RelayClient, frames: FrameReader, reading: asyncio.Task[None]) -> None:
        """Ask over a client, whose frames a task reads."""
        self.client = client
        self._frames = frames
        self._reading = reading

    @property
    def is_nostr(self) -> bool | None:
        """Whether what the relay said has a message of NIP-01 in it; None where it said nothing."""
        if self._frames.understood:
            return True
        return False if self._frames.foreign else None

    async def before_end(self, work: Coroutine[Any, Any, T]) -> T:
        """Do something over the connection.

        Raises:
            RelayError: the connection has ended before that was done.
        """
        task = asyncio.create_task(work)
        try:
            await first_of(task, self._reading)
            for _ in range(_LAST_TURNS):
                if task.done():
                    return task.result()
                await asyncio.sleep(0)
            raise self._why_ended()
        finally:
            await cancel(task)

    def _why_ended(self) -> RelayError:
        error = None if self._reading.cancelled() else self._reading.exception()
        if isinstance(error, RelayError):
            return error
        return RelayError("failed", "the connection ended" if error is None else f"unexpected failure: {brief(error)}")


@asynccontextmanager
async def opened_dialogue(connection: RelayConnection, key: SecretStr | None) -> AsyncIterator[Dialogue]:
    """Converse over an open connection, and close it at the end of the block.

    Args:
        connection: is the block's from now on.
        key: answers challenges, 64 hex digits; None: they are not answered.
    """
    frames = FrameReader(ProbeIntake())
    client = RelayClient(connection.dialled_url, connection, frames, _Unpaused(), auth_key=key)
    reading = asyncio.create_task(client.read())
    try:
        yield Dialogue(client, frames, reading)
    finally:
        try:
            await cancel(reading)
            await connection.close()
        finally:
            connection.cut()
