"""The processor as a service of our lifecycle: start, watch, drain."""

from __future__ import annotations

from core import metrics
from core.service import Service
from processors.clients import open_clients
from processors.processor import Processor


class ProcessorService(Service):
    """Judges bundles until it is told to stop.

    The lifecycle gives `run` and `drain` together `settings.drain_s` after a stop, and ends the process with a non-zero
    code when that is not enough: what was not acknowledged was not committed, and is judged again.
    """

    name = "processor"
    _processor: Processor

    async def start(self) -> None:
        """Wait for broker and topics, then join the consumer group."""
        clients = await open_clients(self.settings, self.resources)
        processor = self._processor = Processor(self.settings, clients)
        self.resources.push_async_callback(processor.close)
        await processor.start()
        self.spawn(processor.watch_lag(), "lag")

    async def run(self) -> None:
        """Watch over Faust and the lanes; every error there is ours, and ends the process."""
        await self._processor.watch(self.stopping)

    async def drain(self) -> None:
        """Finish the bundles that are open, commit, leave the group."""
        await self._processor.drain()

    def ready(self) -> str | None:
        """Tell whether partitions are being worked on."""
        return self._processor.ready()

    def status(self) -> dict[str, object]:
        """Tell what is assigned, open and waiting."""
        return self._processor.status()

    def tick(self) -> None:
        """Refresh the gauges."""
        metrics.BUNDLES_IN_FLIGHT.set(self._processor.validator.in_flight)
