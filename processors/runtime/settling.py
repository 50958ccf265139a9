"""Publishes what became due without any record: by the time, by an assignment, by what followed topics say."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from processors.runtime.handler import State
from processors.runtime.outputs import Output, OutputPublisher

_EVERY_S = 0.25
"""A person who denies a relay waits for it; a look at what is due costs nothing."""


class Due(Protocol):
    """Tells what is due."""

    @property
    def has_due(self) -> bool:
        """Whether more is due at once."""

    def due(self, now_ms: int) -> Iterable[Output]:
        """Decide some of what is due (Unix milliseconds), so that others have their turn."""


class Settling:
    """Work beside the processor.

    What is published here is tied to no offset. What is lost with the process is decided anew after the next start.

    Args:
        work: tells what is due.
        states: must be current before it does.
        publisher: takes the outputs.
        now_ms: tells the time, Unix milliseconds.
    """

    def __init__(
        self, work: Due, states: Sequence[State], publisher: OutputPublisher, now_ms: Callable[[], int]
    ) -> None:
        self._work = work
        self._states = states
        self._publisher = publisher
        self._now_ms = now_ms

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            for state in self._states:
                await state.until_current()
            await asyncio.gather(*await self._publisher.publish(self._work.due(self._now_ms())))
            await asyncio.sleep(0 if self._work.has_due else _EVERY_S)
