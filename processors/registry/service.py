"""The registry as a service, with the agent that assesses the health of relays beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import ClassVar

from core import metrics
from core.service import Service
from processors.registry.opening import Registry, open_registry


class RegistryService(Service):
    """Decides which relays are read and assesses the health of relays, until it is told to stop.

    The lifecycle ends the process where a drain takes too long: what was not acknowledged was not committed, and is
    taken again.
    """

    name = "registry"
    progress: ClassVar[Mapping[str, str]] = {
        "found": "bigbrotr_registry_findings_total",
        "dropped": "bigbrotr_registry_findings_dropped_total",
        "admitted": "bigbrotr_registered_relays",
        "candidates": "bigbrotr_relay_candidates",
        "probes": "bigbrotr_assessed_probes_total",
        "lag": "bigbrotr_consumer_lag_records",
    }
    _registry: Registry

    async def start(self) -> None:
        """Wait for the broker and for what the topics hold, then join the consumer group."""
        registry = self._registry = await open_registry(self.settings, self.resources)
        self.resources.push_async_callback(registry.processor.close)
        await registry.processor.start()
        self.spawn(registry.processor.lag.run(), "lag")
        self.spawn(registry.following.run(), "following")
        for settling in registry.settlings:
            self.spawn(settling.run(), "settling")

    async def run(self) -> None:
        """Watch over Faust and the lanes; every error there is ours, and ends the process."""
        await self._registry.processor.watch(self.stopping)

    async def drain(self) -> None:
        """Finish the records that are open, commit, leave the group."""
        await self._registry.processor.drain()

    def ready(self) -> str | None:
        """Return whether partitions are being worked on."""
        return self._registry.processor.ready()

    def status(self) -> dict[str, object]:
        """Return what is assigned, known and waiting."""
        return self._registry.processor.status()

    def tick(self) -> None:
        """Refresh the gauges: of the domains that this process writes about, so that processes can be summed."""
        registrar = self._registry.registrar
        states: Counter[str] = Counter()
        candidates = 0
        for _, entry in registrar.book.everything():
            if registrar.owns(entry):
                if entry.admitted:
                    states[entry.state] += 1
                else:
                    candidates += 1
        metrics.REGISTERED.clear()
        for state, relays in states.items():
            metrics.REGISTERED.labels(state).set(relays)
        metrics.CANDIDATES.set(candidates)
        self._registry.assess.tick()
