"""The processor as a service: start, watch, drain, close."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from typing import ClassVar

from core import metrics
from core.service import Service
from core.settings import Settings
from processors.runtime.processor import Processor
from processors.validate.opening import open_validator

OpenProcessor = Callable[[Settings, AsyncExitStack], Awaitable[Processor]]
"""Opens what a processor needs, to be closed by the stack; the processor joins its group when it is started."""


class ProcessorService(Service):
    """Runs a processor, which validates bundles unless another is named, until it is told to stop.

    The lifecycle gives `run` and `drain` together `settings.drain_s` after a stop, and ends the process with a non-zero
    code when that is not enough: what was not acknowledged was not committed, and is validated again.
    """

    name = "processor"
    progress: ClassVar[Mapping[str, str]] = {
        "copies": "bigbrotr_copies_total",
        "verified": "bigbrotr_verified_total",
        "accepted": "bigbrotr_accepted_total",
        "rejected": "bigbrotr_rejected_total",
        "lag": "bigbrotr_consumer_lag_records",
    }
    _processor: Processor

    def __init__(self, settings: Settings, open_processor: OpenProcessor = open_validator) -> None:
        super().__init__(settings)
        self._open_processor = open_processor

    async def start(self) -> None:
        """Wait for broker and topics, then join the consumer group."""
        processor = self._processor = await self._open_processor(self.settings, self.resources)
        self.resources.push_async_callback(processor.close)
        await processor.start()
        self.spawn(processor.lag.run(), "lag")

    async def run(self) -> None:
        """Watch over Faust and the lanes; every error there is ours, and ends the process."""
        await self._processor.watch(self.stopping)

    async def drain(self) -> None:
        """Finish the records that are open, commit, leave the group."""
        await self._processor.drain()

    def ready(self) -> str | None:
        """Return whether partitions are being worked on."""
        return self._processor.ready()

    def status(self) -> dict[str, object]:
        """Return what is assigned, open and waiting."""
        return self._processor.status()

    def tick(self) -> None:
        """Refresh the gauges."""
        metrics.BUNDLES_IN_FLIGHT.set(self._processor.in_flight)
