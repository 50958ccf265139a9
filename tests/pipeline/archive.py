"""What stands in the archive, read with SQL of the tests' own, and waiting for it to fill."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import asyncpg

from core.archive.rows import EVENT_COLUMNS, event_from_row
from core.postgres import is_transient
from core.settings.model import Settings
from deploy.demo.scene import Signed
from schemas.digest import Digest
from schemas.nostr.event import Event
from sinks.integrity.digest import archive_digest
from tests.pipeline.services import Services
from tests.pipeline.world import connect
from tests.waiting import until

POLL_S = 0.1


class Archive:
    """A reader of one world's database that can also wait for it to fill; `services` are checked while it waits."""

    def __init__(self, settings: Settings, services: Services | None = None) -> None:
        self._settings = settings
        self._services = services

    async def events(self) -> dict[str, Event]:
        """Return every archived event, rebuilt from its row, by id."""
        rows = await self._fetch(f"SELECT {', '.join(EVENT_COLUMNS)} FROM events")
        found = [event_from_row(tuple(row)) for row in rows]
        assert len({event.id for event in found}) == len(found), "an id stands in two rows"
        return {event.id: event for event in found}

    async def sightings(self) -> set[tuple[str, str]]:
        """Return every pair of event id and relay URL."""
        rows = await self._fetch("SELECT id, relay FROM event_sightings")
        pairs = {(row["id"].hex(), row["relay"]) for row in rows}
        assert len(pairs) == len(rows), "a pair is listed twice"
        return pairs

    async def counts(self) -> tuple[int, int]:
        """Return how many events and how many pairs are archived."""
        (row,) = await self._fetch(
            "SELECT (SELECT count(*) FROM events), (SELECT coalesce(sum(cardinality(relay_ids)), 0) FROM sightings)"
        )
        return row[0], row[1]

    async def has(self, events: Sequence[Signed]) -> bool:
        """Tell whether every one of these events is archived."""
        ids = [bytes.fromhex(event.id) for event in events]
        (row,) = await self._fetch("SELECT count(*) FROM events WHERE id = ANY($1)", ids)
        return int(row[0]) == len(ids)

    async def is_being_written(self) -> bool:
        """Tell whether a sink's transaction is open that has changed something."""
        (row,) = await self._fetch(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name = 'bigbrotr' AND backend_xid IS NOT NULL"
        )
        return int(row[0]) > 0

    async def digest(self) -> Digest:
        """Return the archive's digest, every id recomputed."""
        assert self._settings.postgres.dsn
        async with asyncpg.create_pool(self._settings.postgres.dsn.get_secret_value(), min_size=1, max_size=1) as pool:
            return await archive_digest(pool)

    async def until(
        self, what: str, condition: Callable[[], Awaitable[bool]], limit_s: float = 240.0, poll_s: float = POLL_S
    ) -> None:
        """Wait for a condition; a database that is away has not fulfilled it.

        The limit is far above what is normal: it only ends a test that would hang.
        """

        async def holds() -> bool:
            held = await self._holds(condition)
            if not held and self._services:
                self._services.check()
            return held

        try:
            await until(holds, what, limit_s, poll_s)
        except AssertionError as error:
            error.add_note(f"the archive holds {await self.counts()}")
            raise

    @staticmethod
    async def _holds(condition: Callable[[], Awaitable[bool]]) -> bool:
        try:
            return await condition()
        except Exception as error:
            if not is_transient(error):
                raise
            return False

    async def until_counts(self, events: int, pairs: int, limit_s: float = 240.0) -> None:
        """Wait until at least so many events and pairs are archived."""

        async def reached() -> bool:
            now_events, now_pairs = await self.counts()
            return now_events >= events and now_pairs >= pairs

        await self.until(f"{events} events and {pairs} pairs", reached, limit_s)

    async def _fetch(self, query: str, *values: object) -> list[asyncpg.Record]:
        connection = await connect(self._settings)
        try:
            return await connection.fetch(query, *values)
        finally:
            await connection.close()


def digest_of(pairs: set[tuple[str, str]]) -> Digest:
    """The digest of an archive that holds these pairs of event id and relay, and no event that none of them names."""
    digest = Digest()
    for event_id in {event_id for event_id, _ in pairs}:
        digest.add_event(event_id)
    for event_id, url in pairs:
        digest.add_pair(event_id, url)
    return digest
