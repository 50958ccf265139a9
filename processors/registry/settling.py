"""Publishes what became due without anything being found: commands, new days, an assignment, others' writes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from processors.registry.outputs import Outputs
from processors.registry.registrar import Registrar
from processors.runtime.handler import State
from processors.runtime.outputs import OutputPublisher

_EVERY_S = 0.25
"""A person who denies a relay waits for it; a look at two empty dictionaries costs nothing."""


class Settling:
    """Work beside the processor.

    What is published here is tied to no offset. What is lost with the process is decided anew after the next start.

    Args:
        registrar: decides.
        states: must be current before it does.
        outputs: writes what it decided as records.
        publisher: takes them.
        now_ms: tells the time, Unix milliseconds.
    """

    def __init__(
        self,
        registrar: Registrar,
        states: Sequence[State],
        outputs: Outputs,
        publisher: OutputPublisher,
        now_ms: Callable[[], int],
    ) -> None:
        self._registrar = registrar
        self._states = states
        self._outputs = outputs
        self._publisher = publisher
        self._now_ms = now_ms

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            for state in self._states:
                await state.until_current()
            writes = self._registrar.due(self._now_ms())
            await asyncio.gather(*await self._publisher.publish(self._outputs.of(writes)))
            await asyncio.sleep(0 if self._registrar.has_due else _EVERY_S)
