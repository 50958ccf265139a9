"""The prober service: probes the relays of its share of the registry, and writes what came of it to Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, get_args

from core import metrics
from core.clock import CLOCK
from core.kafka import open_publisher, stop_client
from core.service import Service
from core.service.closing import ConcurrentCloser
from core.settings import Settings
from core.tasks import cancel
from producers.prober.means import open_means
from producers.prober.nip66 import publication as nip66
from producers.prober.probed_relays import ProbedRelays
from producers.prober.probing import Probing
from producers.prober.publication import Publication
from producers.prober.schedule import UNKNOWN, Schedule
from producers.relay_share import TURN_S
from schemas.records.probe import Verdict

_VERDICTS = (*get_args(Verdict), UNKNOWN)


class ProberService(Service):
    """Probes relays, whatever these do; without Kafka it rests."""

    name = "prober"
    progress: ClassVar[Mapping[str, str]] = {
        "probes": "bigbrotr_probes_written_total",
        "documents": "bigbrotr_probe_documents_total",
        "due": "bigbrotr_probes_due",
    }
    _parts: _Parts

    def __init__(self, settings: Settings) -> None:
        """Prepare; `start` opens the connections to Kafka."""
        super().__init__(settings)
        self._schedule = Schedule(settings.prober)

    async def start(self) -> None:
        """Connect to Kafka, waiting for it, learn which documents it has, join the group and begin to probe."""
        settings = self.settings
        means = await self.resources.enter_async_context(open_means(settings))
        clients = await self.resources.enter_async_context(ConcurrentCloser())
        publisher = await open_publisher(settings)
        clients.push(publisher.close)
        publication = Publication(settings, publisher)
        clients.push(publication.close)
        await publication.start()
        monitor = nip66.Publication(settings, means.dialling)
        probing = Probing(self._schedule, means, publication, written=monitor.probed)
        relays = ProbedRelays(settings, self._schedule, probing, monitor)
        client = await relays.join()
        clients.push(stop_client, client)
        clients.push(relays.close)
        # Entered last, so closed first: probes use what is entered above.
        self.resources.push_async_callback(probing.drop_all)
        self._parts = _Parts(
            relays,
            probing,
            following=self.spawn(relays.run(client), "relays"),
            scheduling=self.spawn(probing.run(), "probing"),
            monitor=monitor,
        )
        self.spawn(monitor.run(), "monitor")

    async def run(self) -> None:
        """Let the background tasks probe until stopped."""
        await self.stopping.wait()

    async def drain(self) -> None:
        """End the probes under way: what Kafka does not have yet is done again at the next start."""
        parts = self._parts
        parts.relays.stop()
        await cancel(parts.scheduling)
        await parts.probing.drop_all()
        # A Kafka client that is cancelled while it connects leaves its socket open.
        await asyncio.wait({parts.following}, timeout=TURN_S)
        await cancel(parts.following)

    def ready(self) -> str | None:
        """Whether relays are assigned."""
        return None if self._parts.relays.assigned else "waiting for partitions of the topic relays"

    def status(self) -> dict[str, object]:
        """The relays by the newest verdict on them, and how far probing is behind its schedule."""
        standing = self._schedule.standing(CLOCK.now_ms())
        return {
            "partitions": self._parts.relays.partitions,
            "probes": {
                "verdicts": dict(standing.verdicts),
                "under_way": self._schedule.under_way,
                "due": standing.due,
                "late_s": round(standing.late_ms / 1000, 1),
            },
            "monitor": self._parts.monitor.status(),
        }

    def tick(self) -> None:
        """Refresh the gauges, and look at the host's clock."""
        CLOCK.check()
        standing = self._schedule.standing(CLOCK.now_ms())
        for verdict in _VERDICTS:
            metrics.PROBED.labels(verdict).set(standing.verdicts[verdict])
        metrics.PROBES_UNDER_WAY.set(self._schedule.under_way)
        metrics.PROBES_DUE.set(standing.due)
        metrics.PROBES_LATE.set(standing.late_ms / 1000)


@dataclass(frozen=True)
class _Parts:
    """What exists once Kafka is there, and the background tasks that a drain ends."""

    relays: ProbedRelays
    probing: Probing
    following: asyncio.Task[None]
    scheduling: asyncio.Task[None]
    monitor: nip66.Publication
