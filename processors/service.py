"""The processor as a service of our lifecycle: start, watch, drain, close."""

from __future__ import annotations

from contextlib import AsyncExitStack

from core import metrics
from core.service import Service
from core.settings import Settings
from processors.runtime.clients import open_clients
from processors.runtime.processor import Processor


class ProcessorService(Service):
    """Judges bundles until it is told to stop.

    The lifecycle gives `run` and `drain` together `settings.drain_s` after a stop, and ends the process with a non-zero
    code when that is not enough: what was not acknowledged was not committed, and is judged again.
    """

    name = "processor"

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._clients = AsyncExitStack()
        self._processor: Processor | None = None
        self._drained = False

    async def start(self) -> None:
        """Wait for broker and topics, then join the consumer group."""
        clients = await open_clients(self.settings, self._clients)
        self._processor = Processor(self.settings, clients)
        await self._processor.start()

    async def run(self) -> None:
        """Watch over Faust and the lanes; every error there is ours, and ends the process."""
        await self._started().watch(self.stopping)

    async def drain(self) -> None:
        """Finish the bundles that are open, commit, leave the group."""
        await self._started().drain()
        self._drained = True

    async def close(self) -> None:
        """Let go of everything; after a failure, Faust's thread is told to end without a drain."""
        if self._processor is not None:
            if not self._drained:
                await self._processor.abandon()
            self._processor.close()
        await self._clients.aclose()

    def ready(self) -> str | None:
        """Tell whether partitions are being worked on."""
        return "not started" if self._processor is None else self._processor.ready()

    def status(self) -> dict[str, object]:
        """Tell what is assigned, open and waiting."""
        return {} if self._processor is None else self._processor.status()

    def tick(self) -> None:
        """Refresh the gauges."""
        if self._processor is not None:
            metrics.BUNDLES_IN_FLIGHT.set(self._processor.validator.in_flight)

    def _started(self) -> Processor:
        if self._processor is None:
            raise RuntimeError("the processor was not started")
        return self._processor
