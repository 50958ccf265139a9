"""Collects a snapshot: queries services, Kafka and PostgreSQL, each with a time limit and independent of the others."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Self

import asyncpg

from bigbrotr.services import READINGS
from bigbrotr.status import archive
from bigbrotr.status.holdings import Holdings, holdings
from bigbrotr.status.machine import disk, server_notes
from bigbrotr.status.probing import probing
from bigbrotr.status.registry import not_read
from bigbrotr.status.relay_states import relay_states
from bigbrotr.status.served import served_at, serving_note
from bigbrotr.status.snapshot import Counts, ServiceState, Snapshot
from bigbrotr.status.topic_offsets import OffsetsReader
from bigbrotr.status.totals import Totals
from core.archive.connection import reading_options
from core.archive.counts import ArchiveCounts, counts, database_bytes, has_schema
from core.kafka import Bounds, Offsets, lag
from core.settings import Settings
from core.waiting import brief

if TYPE_CHECKING:
    import aiohttp

    from bigbrotr.status.health import Health

_TIMEOUT_S = 3.0  # a server that takes longer for a handful of small requests is as good as away
REACHABLE = "reachable"


class Collector:
    """Makes snapshots of one pipeline; an async context manager. Counters go on over restarts of services.

    Args:
        settings: with the servers filled in, as far as there are any.
        records: read what was refused, too, and count it by reason, and known relays that are not read.
    """

    def __init__(self, settings: Settings, *, records: bool = False) -> None:
        self._settings = settings
        self._with_records = records
        self._clients = AsyncExitStack()
        self._session: aiohttp.ClientSession | None = None
        self._offsets: OffsetsReader | None = None
        self._connection: asyncpg.Connection[asyncpg.Record] | None = None
        self._totals = Totals()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._drop_kafka()
        self._drop_postgres()
        await self._clients.aclose()

    async def snapshot(self, services: Sequence[ServiceState], events: Sequence[str] = ()) -> Snapshot:
        """Take a snapshot; `services` come from the supervisor or from services.json, still without their health."""
        healths, kafka_part, postgres_part = await asyncio.gather(
            self._ask_services(services),
            self._ask_kafka(),
            self._ask_postgres(),
        )
        kafka_state, held = kafka_part
        bounds = held.bounds
        postgres_state, rows, archived, database_bytes = postgres_part
        told = [(service, health.details) for service, health in zip(services, healths, strict=True)]
        relays = tuple(relay for health in healths for relay in relay_states(health.details, time.time()))
        return Snapshot(
            at_s=time.monotonic(),
            servers={"kafka": kafka_state, "postgres": postgres_state},
            server_notes=server_notes(self._settings.data_dir),
            services=tuple(_with_health(service, health) for service, health in zip(services, healths, strict=True)),
            relays=relays,
            not_read=None if held.registry is None else not_read(held.registry, {relay.url for relay in relays}),
            probing=probing([health.details for health in healths]),
            api_url=next((url for pair in told if (url := served_at(*pair)) is not None), None),
            counts=self._counts(services, healths, rows),
            topics=held.topics,
            refused=held.refused,
            lags=self._lags(bounds, {**held.committed, **(archived if bounds.ends else {})}),
            disk=disk(self._settings.data_dir, database_bytes),
            events=tuple(events),
        )

    def _counts(
        self, services: Sequence[ServiceState], healths: Sequence[Health], rows: ArchiveCounts | None
    ) -> Counts:
        for service, health in zip(services, healths, strict=True):
            self._totals.add(service.name, health.metrics)
            self._totals.add(service.name, {f"rejected:{key}": count for key, count in health.rejected.items()})
            self._totals.add(service.name, {f"quarantined:{key}": count for key, count in health.quarantined.items()})
        return Counts(
            received=self._totals.get("bigbrotr_received_copies_total"),
            verified=self._totals.get("bigbrotr_verified_total"),
            duplicates=self._totals.get("bigbrotr_duplicates_total"),
            rejected=self._totals.group("rejected:"),
            quarantined=self._totals.group("quarantined:"),
            archived=None if rows is None else rows.events,
            sightings=None if rows is None else rows.pairs,
            archived_exact=rows is None or rows.exact,
        )

    def _lags(self, bounds: Bounds, reached: Mapping[str, Offsets]) -> dict[str, int | None]:
        """By service; `reached` has those of which it is known how far they are."""
        prefix = self._settings.kafka.topic_prefix
        found: dict[str, int | None] = dict.fromkeys(READINGS)
        for name, offsets in reached.items():
            topics = {prefix + topic for topic in READINGS[name].topics}
            found[name] = lag(
                {tp: end for tp, end in bounds.ends.items() if tp.topic in topics}, bounds.begins, offsets
            )
        return found

    async def _ask_services(self, services: Sequence[ServiceState]) -> list[Health]:
        if not services:
            return []
        # Loading the HTTP client takes a fifth of a second, which a status without services need not wait for.
        import aiohttp  # noqa: PLC0415

        from bigbrotr.status.health import ask  # noqa: PLC0415

        if self._session is None:
            self._session = await self._clients.enter_async_context(aiohttp.ClientSession())
        session = self._session
        return await asyncio.gather(*(ask(session, service.host, service.port) for service in services))

    async def _ask_kafka(self) -> tuple[str, Holdings]:
        if self._settings.kafka.bootstrap_servers is None:
            return "not running", Holdings()
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                if self._offsets is None:
                    self._offsets = await OffsetsReader(self._settings).__aenter__()
                found = await holdings(self._settings, self._offsets, with_records=self._with_records)
                return REACHABLE, found
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what a person wants to see here
            await self._drop_kafka()
            return _unreachable(error), Holdings()

    async def _ask_postgres(self) -> tuple[str, ArchiveCounts | None, dict[str, Offsets], int | None]:
        if self._settings.postgres.dsn is None:
            return "not running", None, {}, None
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                if self._connection is None:
                    self._connection = await asyncpg.connect(**reading_options(self._settings))
                size = await database_bytes(self._connection)
                if not await has_schema(self._connection):
                    return "reachable, not migrated yet", None, {}, size
                rows = await counts(self._connection)
                archived = {
                    name: await archive.sunk(self._connection, each.group_id(self._settings))
                    for name, each in READINGS.items()
                    if each.progress == "postgres"
                }
                return REACHABLE, rows, archived, size
        except Exception as error:  # noqa: BLE001 - as above
            self._drop_postgres()
            return _unreachable(error), None, {}, None

    async def _drop_kafka(self) -> None:
        reader, self._offsets = self._offsets, None
        if reader is not None:
            await reader.__aexit__(None, None, None)

    def _drop_postgres(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()


def _unreachable(error: Exception) -> str:
    return f"unreachable: {f'no answer within {_TIMEOUT_S:.0f} s' if isinstance(error, TimeoutError) else brief(error)}"


def _with_health(service: ServiceState, health: Health) -> ServiceState:
    if service.state != "running":
        return service
    note = serving_note(service, health.details)
    return replace(service, problem=health.problem, note=note or service.note)
