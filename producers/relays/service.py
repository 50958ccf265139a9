"""The connector service: relays on one side, `raw.bundles`, `rejections` and `coverage` on the other."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable

from core import metrics
from core.clock import BELIEVED_AFTER_S, CLOCK
from core.kafka import Publisher, open_publisher
from core.service import Service
from core.settings import Settings
from producers.bundler import Bundler
from producers.filters import configured_filters
from producers.outbox import Outbox
from producers.rejecting import Rejections
from producers.relays.archive_ids import ArchiveIds
from producers.relays.budget import Budget
from producers.relays.checkpoint import Checkpoints
from producers.relays.dialling import Dialling
from producers.relays.fleet import Fleet
from producers.relays.ledger import Ledger
from producers.relays.model import Model
from producers.relays.session import Session, Shared
from producers.relays.slots import Slots
from producers.targets import full_name
from schemas.coverage import Coverage
from schemas.filters import Filter
from schemas.relay_record import RelayRecord
from schemas.relay_url import Network, RelayUrlError, normalize

logger = logging.getLogger(__name__)

STAGE = "connector"
_CLOCK_ADVICE = (
    f"feeds are opened again, nothing counts as followed meanwhile, and it is believed after {BELIEVED_AFTER_S:.0f} s"
)
_FLEET_STOP_S = 2.0
"""One turn of the fleet, unless Kafka is away."""
_WRITTEN = ("raw.bundles", "rejections", "coverage")


class ConnectorService(Service):
    """Reads the relays that its consumer group gives it."""

    name = "connector"

    def __init__(self, settings: Settings) -> None:
        """Prepare; `start` opens the connections to Kafka.

        Raises:
            SettingsError: a configured filter is not one of NIP-01.
        """
        super().__init__(settings)
        filters = configured_filters(settings)
        self._filters = {each.filter_hash(): each for each in filters}
        self._fleet = Fleet(settings, self._open_session)
        self._publisher: Publisher | None = None
        self._parts: _Parts | None = None
        self._work: list[asyncio.Task[None]] = []
        self._states: set[str] = set()

    async def start(self) -> None:
        """Connect to Kafka, waiting for it, and join the group."""
        settings = self.settings
        # Room above the outbox's own bound, so that its order is kept by its queue alone.
        publisher = self._publisher = await open_publisher(settings, most_bytes=2 * settings.connector.in_flight_bytes)
        counts = {name: await publisher.partition_count(full_name(settings, name)) for name in _WRITTEN}
        self._parts = _Parts(settings, publisher, self._filters, self._fleet, counts)
        await self._fleet.start()

    async def run(self) -> None:
        """Read relays until stopped.

        Raises:
            Exception: our own broken state: a record that Kafka refused, a consumer that failed.
        """
        parts = self._started()
        self._work = [
            asyncio.create_task(work, name=name)
            for name, work in (
                ("outbox", parts.outbox.run()),
                ("fleet", self._fleet.run()),
                ("checkpoints", parts.checkpoints.run()),
            )
        ]
        stopping = asyncio.create_task(self.stopping.wait())
        try:
            ended, _ = await asyncio.wait([*self._work, stopping], return_when=asyncio.FIRST_COMPLETED)
            for task in self._work:
                if task in ended:
                    task.result()
                    raise RuntimeError(f"the {task.get_name()} ended by itself")
        finally:
            stopping.cancel()

    async def drain(self) -> None:
        """Close the sockets, have everything received acknowledged, and record how far it goes."""
        parts = self._started()
        _, fleet, checkpoints = self._work
        self._fleet.stop()
        await _cancelled(checkpoints)
        await self._fleet.close_sockets()
        await parts.checkpoints.write(everything=True)
        await parts.bundler.flushed()
        # Last, since nothing depends on it. A Kafka client that is cancelled while it connects leaves its socket open.
        await asyncio.wait({fleet}, timeout=_FLEET_STOP_S)
        await _cancelled(fleet)

    async def close(self) -> None:
        """Leave the group and Kafka."""
        await _cancelled(*self._work)
        await self._fleet.close_sockets()
        if self._parts is not None:
            await self._parts.archive.close()
        # At once, as in the sink: each may use up its time while Kafka is away.
        closing: list[Awaitable[object]] = [self._fleet.close()]
        if self._publisher is not None:
            closing.append(self._publisher.close())
        await asyncio.gather(*closing)

    def ready(self) -> str | None:
        """Whether relays are assigned and Kafka takes what they send."""
        if not self._fleet.assigned:
            return "waiting for partitions of the topic relays"
        if self._parts is not None and self._parts.outbox.full:
            return f"sockets are paused: {self._parts.outbox.bytes} received bytes are not acknowledged by Kafka yet"
        return None

    def status(self) -> dict[str, object]:
        """Every relay with its state, the share of the registry that they come from, and what is unacknowledged."""
        parts = self._parts
        connector = self.settings.connector
        return {
            "partitions": self._fleet.partitions,
            "relays": [session.status() for session in self._fleet.sessions.values()],
            "unacknowledged_bytes": parts.outbox.bytes if parts is not None else 0,
            "bundle_age_ms": round(parts.bundler.age_s * 1000) if parts is not None else None,
            "waiting_for_a_place": parts.shared.slots.waiting if parts is not None else 0,
            "proxies": {
                "tor": connector.tor_proxy is not None,
                "i2p": connector.i2p_proxy is not None,
                "loki": connector.loki_proxy is not None,
            },
        }

    def tick(self) -> None:
        """Refresh the gauge of relay states, and look at the host's clock."""
        step_s = CLOCK.check()
        if step_s is not None:
            metrics.CLOCK_STEPS.inc()
            logger.warning(
                "the host's clock differs by %.1f s from the time that has passed: %s", step_s, _CLOCK_ADVICE
            )
            for session in self._fleet.sessions.values():
                session.clock_stepped()
        counts = Counter(session.state for session in self._fleet.sessions.values())
        self._states |= set(counts)
        for state in self._states:
            metrics.RELAYS.labels(state).set(counts[state])

    def _open_session(self, record: RelayRecord, coverage: Coverage | None) -> Session | None:
        parts = self._started()
        try:
            url = normalize(record.url, allow_private=record.allow_private)
        except RelayUrlError as error:
            logger.warning("%s is not read: %s", record.url, error)
            return None
        settings = self.settings.connector
        return Session(
            record,
            url,
            parts.shared,
            budget=Budget(settings.refused_bytes_per_hour, settings.refused_events_per_hour),
            ledger=Ledger(
                record.url,
                self._filters,
                coverage,
                lookback_days=settings.lookback_days,
                late_days=settings.late_days,
            ),
            model=Model(settings.page_limit, coverage.facts if coverage is not None else ()),
        )

    def _started(self) -> _Parts:
        if self._parts is None:
            raise RuntimeError("the connector was not started")
        return self._parts


class _Parts:
    """What exists once Kafka is there."""

    def __init__(
        self,
        settings: Settings,
        publisher: Publisher,
        filters: dict[str, Filter],
        fleet: Fleet,
        partitions: dict[str, int],
    ) -> None:
        connector = settings.connector
        self.outbox = Outbox(publisher, connector.in_flight_bytes)
        self.bundler = Bundler(
            self.outbox,
            full_name(settings, "raw.bundles"),
            partitions["raw.bundles"],
            lines=connector.bundle_lines,
            max_bytes=connector.bundle_bytes,
            age_ms=connector.bundle_age_ms,
        )
        self.rejections = Rejections(self.outbox, full_name(settings, "rejections"), partitions["rejections"], STAGE)
        self.checkpoints = Checkpoints(
            self.outbox,
            self.bundler,
            full_name(settings, "coverage"),
            partitions["coverage"],
            lambda: list(fleet.sessions.values()),
        )
        self.archive = ArchiveIds(settings)
        self.shared = Shared(
            outbox=self.outbox,
            bundler=self.bundler,
            rejections=self.rejections,
            slots=Slots(connector.max_connections),
            dialling=Dialling(
                connect_timeout_s=connector.connect_timeout_s,
                frame_max_bytes=connector.frame_max_bytes,
                ping_interval_s=connector.ping_interval_s,
                proxies={
                    Network.TOR: connector.tor_proxy,
                    Network.I2P: connector.i2p_proxy,
                    Network.LOKI: connector.loki_proxy,
                },
            ),
            filters=filters,
            live_limit=connector.live_limit,
            eose_timeout_s=connector.eose_timeout_s,
            auth_key=connector.auth_key,
            hold_s=connector.eose_hold_s,
            archive=self.archive,
        )


async def _cancelled(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
