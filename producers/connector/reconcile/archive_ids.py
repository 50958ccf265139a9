"""What the archive holds of a few seconds: read from PostgreSQL, read-only, so that relays can be asked for the rest.

It is optional: without a database, with one that is away, slow or not set up, there is no answer, and the relay is
paged through as if there were no archive. A caller waits for seconds at most.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from typing import Any

from core.archive.bounded_reader import PATIENCE, BoundedReader, Patience, Wording
from core.archive.event_query import BIGINT_MAX, Parameters, condition
from core.settings import Settings
from schemas.nostr.filters import Filter

logger = logging.getLogger(__name__)

MOST_HELD = 20_000
"""Of one window. 30 ms for the database and as much again for us, in which no other relay is read."""
_WORDING = Wording("relays are paged through", "relays are compared with it")
# Both tables are bound in time, so that only their months are looked at.
_WINDOW = """
SELECT held.created_at, held.id, coalesce(relay_ids @> ARRAY[(SELECT relays.id FROM relays WHERE url = {url})], FALSE)
FROM (SELECT created_at, id FROM events WHERE {condition} LIMIT {limit}) AS held
LEFT JOIN sightings ON sightings.created_at = held.created_at AND sightings.id = held.id
    AND sightings.created_at BETWEEN {since} AND {until}
"""


@dataclass(frozen=True, slots=True)
class ArchiveWindow:
    """What the archive holds of a filter in some seconds.

    Attributes:
        held: (created_at, id), in no order.
        sighted: those ids of `held` that the relay is known to hold.
        complete: whether that is all; otherwise there is more than `MOST_HELD`, and fewer seconds must be asked for.
    """

    held: list[tuple[int, str]]
    sighted: frozenset[str]
    complete: bool


NOTHING = ArchiveWindow([], frozenset(), complete=True)


class ArchiveIds:
    """The archive, as far as a connector looks into it."""

    def __init__(self, settings: Settings, *, most_held: int = MOST_HELD, patience: Patience = PATIENCE) -> None:
        """Read with these settings; nothing is opened before the first question."""
        self._most = most_held
        self._reader = BoundedReader(settings, _WORDING, logger, patience)

    @property
    def configured(self) -> bool:
        """Whether there is a database at all."""
        return self._reader.configured

    async def window(self, base: Filter, since: int | None, until: int | None, relay: str) -> ArchiveWindow | None:
        """Read what is held of a filter between two seconds, both included, whatever bounds the filter has itself.

        Args:
            base: the filter; one event more than it matches is possible where tags share a hash.
            since: None for the beginning.
            until: None for the end.
            relay: normalised URL, for `sighted`.

        Returns:
            None where the archive cannot be asked now.
        """
        statement, values = window_statement(base, since, until, relay, self._most + 1)
        rows = await self._reader.fetch(statement, *values)
        if rows is None:
            return None
        held = [(created_at, event_id.hex()) for created_at, event_id, _ in rows]
        sighted = frozenset(event_id.hex() for _, event_id, is_sighted in rows if is_sighted)
        return ArchiveWindow(held, sighted, complete=len(rows) <= self._most)

    async def close(self) -> None:
        """Let the connections go."""
        await self._reader.close()


def window_statement(
    base: Filter, since: int | None, until: int | None, relay: str, limit: int
) -> tuple[str, list[Any]]:
    """The statement that reads a window, of at most `limit` events, and its values."""
    since, until = since or 0, BIGINT_MAX if until is None else min(until, BIGINT_MAX)
    parameters = Parameters()
    statement = _WINDOW.format(
        condition=condition(replace(base, since=since, until=until), parameters, exact_tags=False),
        since=parameters.add(since, "bigint"),
        until=parameters.add(until, "bigint"),
        url=parameters.add(relay, "text"),
        limit=parameters.add(limit, "bigint"),
    )
    return statement, parameters.values
