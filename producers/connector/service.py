"""The connector service: relays on one side; bundles, rejections, coverage and reports to the registry on the other."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from aiokafka import TopicPartition

from core import metrics
from core.clock import BELIEVED_AFTER_S, CLOCK
from core.kafka import Publisher, admin, open_publisher, stop_client
from core.service import Service
from core.service.closing import ConcurrentCloser
from core.settings import ConnectorSettings, Settings
from core.tasks import cancel
from producers.addresses.address_guard import allowed_addresses
from producers.addresses.resolver import LOOK_UP_S, Resolver, open_resolver
from producers.bundler import Bundler
from producers.connector.checkpoint import Checkpoints
from producers.connector.connection_limits import ConnectionLimits
from producers.connector.coverage.ledger import Ledger
from producers.connector.known_limits import KnownLimits
from producers.connector.reading.budget import Budget
from producers.connector.reading.judge_pool import SWITCH_S, JudgePool
from producers.connector.reading.pacing import Pacing
from producers.connector.reading.validation_watch import ValidationWatch
from producers.connector.reconcile.archive_ids import ArchiveIds
from producers.connector.registry.reports import Reports
from producers.connector.relay_model import Model
from producers.connector.session import Session
from producers.connector.session_manager import SessionManager
from producers.connector.shared import Shared
from producers.filters import configured_filters
from producers.rejecting import Rejections
from producers.relay_client.dialling import Dialling, overlay_proxies
from producers.relay_client.stream.turns import Turns
from producers.relay_client.stream.unfinished import UNFINISHED
from producers.relay_share import TURN_S
from producers.send_buffer import SendBuffer
from producers.targets import full_name
from schemas.nostr.filters import Filter
from schemas.records.coverage import Coverage
from schemas.records.relay import RelayRecord
from schemas.relay_urls.relay_url import Network, RelayUrlError, normalize

logger = logging.getLogger(__name__)

STAGE = "connector"
_CLOCK_ADVICE = (
    f"feeds are opened again, nothing counts as followed meanwhile, and it is believed after {BELIEVED_AFTER_S:.0f} s"
)
_CLOCK_EVERY_S = 1.0
"""As `Clock.check` asks for."""
_WRITTEN = ("raw.bundles", "rejections", "coverage", "relays.found")


class ConnectorService(Service):
    """Reads the relays that its consumer group gives it."""

    name = "connector"
    progress: ClassVar[Mapping[str, str]] = {
        "received": "bigbrotr_received_copies_total",
        "bundles": "bigbrotr_published_bundles_total",
        "rejected": "bigbrotr_rejected_total",
        "failures": "bigbrotr_relay_failures_total",
    }
    _parts: _Parts

    def __init__(self, settings: Settings) -> None:
        """Prepare; `start` opens the connections to Kafka.

        Raises:
            SettingsError: a configured filter is not one of NIP-01.
        """
        super().__init__(settings)
        filters = configured_filters(settings)
        self._filters = {each.filter_hash(): each for each in filters}
        self._limits = KnownLimits(settings)
        self._fleet = SessionManager(settings, self._open_session, self._limits)
        self._states: set[str] = set()

    async def start(self) -> None:
        """Connect to Kafka, waiting for it, join the group and begin to read."""
        settings = self.settings
        self.spawn(self._watch_clock(), "clock")
        sys.setswitchinterval(SWITCH_S)
        clients = await self.resources.enter_async_context(ConcurrentCloser())
        # Room above the send buffer's own bound, so that its order is kept by its queue alone.
        publisher = await open_publisher(settings, most_bytes=2 * settings.connector.in_flight_bytes)
        clients.push(publisher.close)
        counts = {name: await publisher.partition_count(full_name(settings, name)) for name in _WRITTEN}
        archive = ArchiveIds(settings)
        self.resources.push_async_callback(archive.close)
        offsets = await admin(settings)
        clients.push(stop_client, offsets)
        client = await self._fleet.join()
        clients.push(stop_client, client)
        clients.push(self._fleet.close)
        resolver = await self.resources.enter_async_context(_resolver(settings.connector))
        # Entered last, so closed first: sessions use what is entered above.
        self.resources.push_async_callback(self._fleet.close_sockets)
        shared = _shared(settings, publisher, self._filters, archive, counts, resolver=resolver)
        self.resources.callback(shared.judges.close)
        checkpoints = Checkpoints(
            shared.send_buffer,
            shared.bundler,
            full_name(settings, "coverage"),
            counts["coverage"],
            lambda: list(self._fleet.sessions.values()),
        )
        self._parts = _Parts(
            shared,
            checkpoints,
            following=self.spawn(self._fleet.run(client), "fleet"),
            checkpointing=self.spawn(checkpoints.run(), "checkpoints"),
        )
        self.spawn(shared.send_buffer.run(), "send_buffer")
        bundles = full_name(settings, "raw.bundles")
        watch = ValidationWatch(
            shared.pacing,
            shared.bundler,
            offsets,
            settings.processor.group_id,
            [TopicPartition(bundles, number) for number in range(counts["raw.bundles"])],
        )
        self.spawn(watch.run(), "validation")

    async def run(self) -> None:
        """Let the background tasks read relays until stopped."""
        await self.stopping.wait()

    async def drain(self) -> None:
        """Close the sockets, have everything received acknowledged, and record how far it goes."""
        parts = self._parts
        self._fleet.stop()
        await cancel(parts.checkpointing)
        await self._fleet.close_sockets()
        await parts.checkpoints.write(everything=True)
        await parts.shared.bundler.flushed()
        # Last, since nothing depends on it. A Kafka client that is cancelled while it connects leaves its socket open.
        await asyncio.wait({parts.following}, timeout=TURN_S)
        await cancel(parts.following)

    def ready(self) -> str | None:
        """Whether relays are assigned and Kafka takes what they send."""
        send_buffer = self._parts.shared.send_buffer
        if not self._fleet.assigned:
            return "waiting for partitions of the topic relays"
        if send_buffer.full:
            return f"sockets are paused: {send_buffer.bytes} received bytes are not acknowledged by Kafka yet"
        return None

    def status(self) -> dict[str, object]:
        """Every relay with its state, the share of the registry that they come from, and what is unacknowledged."""
        shared = self._parts.shared
        connector = self.settings.connector
        return {
            "partitions": self._fleet.partitions,
            "relays": [session.status() for session in self._fleet.sessions.values()],
            "known_not_read": self._fleet.known_not_read,
            "unacknowledged_bytes": shared.send_buffer.bytes,
            "bundle_age_ms": round(shared.bundler.age_s * 1000),
            "waiting_for_a_place": shared.slots.waiting,
            "validation": {
                "lag_s": round(shared.pacing.lag_s, 1),
                "away": shared.pacing.away,
                "allowed_copies": shared.pacing.allowance if shared.pacing.limiting else None,
            },
            "proxies": {
                "tor": connector.tor_proxy is not None,
                "i2p": connector.i2p_proxy is not None,
                "loki": connector.loki_proxy is not None,
            },
        }

    def tick(self) -> None:
        """Refresh the gauges of relay states and of unfinished messages."""
        counts = Counter(session.state for session in self._fleet.sessions.values())
        self._states |= set(counts)
        metrics.UNFINISHED.set(UNFINISHED.bytes)
        for state in self._states:
            metrics.RELAYS.labels(state).set(counts[state])

    async def _watch_clock(self) -> None:
        """Look at the host's clock, also while Kafka is waited for: what lies between two looks is a step or is not."""
        while True:
            step_s = CLOCK.check()
            if step_s is not None:
                metrics.CLOCK_STEPS.inc()
                logger.warning("the host's clock was stepped by %.1f s: %s", step_s, _CLOCK_ADVICE)
                for session in self._fleet.sessions.values():
                    session.clock_stepped()
            await asyncio.sleep(_CLOCK_EVERY_S)

    def _open_session(self, record: RelayRecord, coverage: Coverage | None) -> Session | None:
        try:
            url = normalize(record.url, allow_private=record.allow_private)
        except RelayUrlError as error:
            logger.warning("%s is not read: %s", record.url, error)
            return None
        settings = self.settings.connector
        return Session(
            record,
            url,
            self._parts.shared,
            budget=Budget(settings.refused_bytes_per_hour, settings.refused_events_per_hour),
            ledger=Ledger(
                record.url,
                self._filters,
                coverage,
                lookback_days=settings.lookback_days,
                late_days=settings.late_days,
            ),
            model=Model(
                settings.page_limit,
                coverage.facts if coverage is not None else (),
                limits=partial(self._limits.of, record.url),
            ),
            copies=coverage.copies if coverage is not None else None,
        )


@dataclass(frozen=True)
class _Parts:
    """What exists once Kafka is there, and the background tasks that a drain ends."""

    shared: Shared
    checkpoints: Checkpoints
    following: asyncio.Task[None]
    checkpointing: asyncio.Task[None]


def _resolver(connector: ConnectorSettings) -> AbstractAsyncContextManager[Resolver]:
    # A share of the time to connect: where a look-up times out, the last addresses of its name are still tried.
    return open_resolver(connector.nameservers, min(LOOK_UP_S, connector.connect_timeout_s / 3))


def _shared(
    settings: Settings,
    publisher: Publisher,
    filters: dict[str, Filter],
    archive: ArchiveIds,
    partitions: dict[str, int],
    *,
    resolver: Resolver,
) -> Shared:
    connector = settings.connector
    share = connector.priority_share
    priority_bytes = int(connector.in_flight_bytes * share)
    send_buffer = SendBuffer(publisher, connector.in_flight_bytes - priority_bytes, priority_bytes)
    pacing = Pacing(share)
    return Shared(
        send_buffer=send_buffer,
        bundler=Bundler(
            send_buffer,
            full_name(settings, "raw.bundles"),
            partitions["raw.bundles"],
            lines=connector.bundle_lines,
            max_bytes=connector.bundle_bytes,
            age_ms=connector.bundle_age_ms,
            acknowledged=lambda partition, offset, _lines: pacing.acknowledged(partition, offset),
        ),
        rejections=Rejections(send_buffer, full_name(settings, "rejections"), partitions["rejections"], STAGE),
        slots=ConnectionLimits(
            connector.max_connections,
            {Network.TOR: connector.max_tor, Network.I2P: connector.max_i2p, Network.LOKI: connector.max_loki},
            priority_share=share,
        ),
        events_per_hour=connector.events_per_hour,
        dialling=Dialling(
            connect_timeout_s=connector.connect_timeout_s,
            frame_max_bytes=connector.frame_max_bytes,
            ping_interval_s=connector.ping_interval_s,
            proxies=overlay_proxies(connector),
            look_up=partial(allowed_addresses, resolve=resolver.addresses),
        ),
        filters=filters,
        eose_timeout_s=connector.eose_timeout_s,
        auth_key=connector.auth_key,
        hold_s=connector.eose_hold_s,
        archive=archive,
        # What was given by hand is no finding of the registry's.
        reports=None
        if connector.only
        else Reports(send_buffer, full_name(settings, "relays.found"), partitions["relays.found"]),
        judges=JudgePool(priority_share=share),
        turns=Turns(share),
        pacing=pacing,
    )
