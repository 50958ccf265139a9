"""Reads coverage from the archive: what was read of each relay, as of the newest record that the sink has stored."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson
from pydantic import TypeAdapter

from core.archive.connection import Connection
from schemas.ranges import Range
from schemas.records.coverage import Copies, Fact

_SETS = """
SELECT relays.url, state.cursor_s, state.updated_at_ms, state.facts::text AS facts,
    state.copies_received, state.copies_repeated,
    filters.set_id, filters.filter, filters.wire::text AS wire,
    nullif(filters.identity, '') AS identity,
    (SELECT range_agg(int8range(since_s, until_s, '[]')) FROM coverage_ranges WHERE set_id = filters.set_id) AS read
FROM coverage_relays AS state
JOIN relays ON relays.id = state.relay_id
LEFT JOIN coverage_filters AS filters USING (relay_id)
WHERE NOT state.withdrawn AND ($1::text IS NULL OR relays.url = $1)
ORDER BY relays.url, filters.filter, filters.identity
"""
_GAPS = """
SELECT set_id, since_s, until_s, reason, tries, retry_at_s FROM coverage_gaps
WHERE set_id = ANY($1::bigint[]) ORDER BY set_id, since_s DESC, until_s DESC
"""
_FACTS = TypeAdapter(list[Fact])


class GapState(NamedTuple):
    """Seconds, both included, that are known not to be complete; `retry_at_s` is None where they are due."""

    since_s: int
    until_s: int
    reason: str
    tries: int
    retry_at_s: int | None


class FilterState(NamedTuple):
    """What was read with one filter, by its hash, as one identity (a public key, or None).

    Attributes:
        wire: the filter as it is sent; None where it is not known.
        read: sorted, apart from each other.
        gaps: newest first.
    """

    filter: str
    wire: dict[str, Any] | None
    identity: str | None
    read: list[Range]
    gaps: list[GapState]


class RelayState(NamedTuple):
    """What was read of one relay (normalised URL).

    Attributes:
        cursor_s: it was followed up to this second; None if it never was.
        updated_at_ms: when all this was true.
        facts: how it wants to be asked, as far as it was learnt.
        copies: what it has sent, and what of it again.
    """

    relay: str
    cursor_s: int | None
    updated_at_ms: int
    filters: list[FilterState]
    facts: list[Fact]
    copies: Copies


async def read_coverage(connection: Connection, relay: str | None = None) -> list[RelayState]:
    """Read what is known of one relay, or of all in the order of their URLs, as of one moment."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        sets = await connection.fetch(_SETS, relay)
        gaps: dict[int, list[GapState]] = {}
        for set_id, *gap in await connection.fetch(_GAPS, [row["set_id"] for row in sets if row["set_id"]]):
            gaps.setdefault(set_id, []).append(GapState(*gap))
    found: dict[str, RelayState] = {}
    for row in sets:
        if row["url"] not in found:
            facts = _FACTS.validate_json(row["facts"])
            copies = Copies(received=row["copies_received"], repeated=row["copies_repeated"])
            found[row["url"]] = RelayState(row["url"], row["cursor_s"], row["updated_at_ms"], [], facts, copies)
        state = found[row["url"]]
        if row["set_id"] is not None:
            wire = None if row["wire"] is None else orjson.loads(row["wire"])
            read = [(each.lower, each.upper - 1) for each in row["read"] or ()]
            state.filters.append(FilterState(row["filter"], wire, row["identity"], read, gaps.get(row["set_id"], [])))
    return list(found.values())
