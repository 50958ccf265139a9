"""What the archive has of an author: the newest version of lists and profile, and how many events of each kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from core.archive.connection import Connection
from core.archive.event_query import Parameters, condition
from core.archive.queries.one_event import FIRST_SEEN
from core.archive.queries.view import View
from core.archive.rows import COLUMN_LIST, readable_event
from schemas.nostr.event import Event
from schemas.nostr.filters import Filter
from schemas.nostr.kinds import PRIVATE_KINDS

MOST_KINDS = 64
"""Of an author that are counted, the lowest: people sign a dozen, and each costs a look into every month."""
MOST_SOUGHT = 1000
"""Kinds among which those are sought that have an event to show: each costs a look, and there are 65,536 kinds."""
MOST_COUNTED = 1000
"""Of a kind that are counted exactly, so that an author of millions costs 64,000 rows."""


class KindCount(NamedTuple):
    """How many events of a kind; where not `is_exact`, so many at least."""

    kind: int
    number: int
    is_exact: bool


class Dated(NamedTuple):
    """An event's id (hex), its own time (Unix seconds), and when it was first seen (Unix milliseconds)."""

    id: str
    created_at: int
    first_seen_ms: int | None


class AuthorCounts(NamedTuple):
    """What an author has signed, as far as a view shows it.

    Attributes:
        kinds: in their order.
        is_all: no further kinds are known. What a view does not show is no kind of it, as if it was not there.
        oldest: by its own time, as `newest`; None: there is no event.
    """

    kinds: list[KindCount]
    is_all: bool
    oldest: Dated | None
    newest: Dated | None


async def current_versions(connection: Connection, pubkey: str, kinds: Sequence[int], view: View) -> dict[int, Event]:
    """Read an author's current event of replaceable kinds (NIP-01), where a view shows it.

    One that is hidden stays the current one: none before it takes its place. The index by author and kind finds them,
    in archives of every version.
    """
    parameters = Parameters()
    wanted = parameters.add(kinds, "integer[]")
    rows = await connection.fetch(
        f"SELECT {COLUMN_LIST} FROM unnest({wanted}) AS wanted (of_kind) CROSS JOIN LATERAL ("  # noqa: S608
        f"SELECT created_at AS at, id AS current_id FROM events WHERE {_author(pubkey, parameters)} "
        "AND kind = wanted.of_kind ORDER BY created_at DESC, id LIMIT 1) AS current "
        f"JOIN {view.relation} AS shown ON shown.created_at = current.at AND shown.id = current.current_id "
        f"WHERE {view.condition(parameters)}",
        *parameters.values,
    )
    events = [readable_event(tuple(row)) for row in rows]
    return {event.kind: event for event in events if event is not None and view.shows(event)}


async def count_kinds(connection: Connection, pubkey: str, view: View) -> AuthorCounts:
    """Count what an author (64 hex digits) has signed by kind."""
    counted = await _counts(connection, pubkey, view)
    names = [each.kind for each in counted[:MOST_KINDS]]
    oldest = await _dated(connection, pubkey, names, view, "created_at, id DESC")
    newest = await _dated(connection, pubkey, names, view, "created_at DESC, id")
    return AuthorCounts(counted[:MOST_KINDS], len(counted) <= MOST_KINDS, oldest, newest)


async def _counts(connection: Connection, pubkey: str, view: View) -> list[KindCount]:
    """Of the lowest kinds of which something is shown; one more than are wanted, where there are more."""
    parameters = Parameters()
    author = _author(pubkey, parameters)
    private = parameters.add(sorted(PRIVATE_KINDS), "integer[]")
    most_sought = parameters.add(MOST_SOUGHT, "bigint")
    most = parameters.add(MOST_COUNTED + 1, "bigint")
    where = f"{author} AND kind = sought.of_kind AND {view.condition(parameters)}"
    # From each kind the index (pubkey_prefix, kind, created_at) leads to the next. Materialized, so that each is
    # counted once, and none beyond the last that is given.
    rows = await connection.fetch(
        "WITH RECURSIVE known AS ("  # noqa: S608 - of our own parts and $n alone
        f"(SELECT kind AS of_kind FROM events WHERE {author} ORDER BY kind LIMIT 1) UNION ALL "
        f"SELECT (SELECT kind FROM events WHERE {author} AND kind > known.of_kind ORDER BY kind LIMIT 1) "
        "FROM known WHERE of_kind IS NOT NULL"
        "), counted AS MATERIALIZED (SELECT of_kind, (SELECT count(*) FROM "
        f"(SELECT FROM {view.relation} WHERE {where} LIMIT {most}) AS found) AS number FROM ("
        f"SELECT of_kind FROM known WHERE of_kind <> ALL({private}) LIMIT {most_sought}) AS sought) "
        f"SELECT of_kind, number FROM counted WHERE number > 0 LIMIT {parameters.add(MOST_KINDS + 1, 'bigint')}",
        *parameters.values,
    )
    return [
        KindCount(row["of_kind"], min(row["number"], MOST_COUNTED), is_exact=row["number"] <= MOST_COUNTED)
        for row in rows
    ]


async def _dated(connection: Connection, pubkey: str, kinds: Sequence[int], view: View, order: str) -> Dated | None:
    """The first event of these kinds in an order: each kind has its own way through the index."""
    parameters = Parameters()
    wanted = parameters.add(kinds, "integer[]")
    where = f"{_author(pubkey, parameters)} AND kind = wanted.kind AND {view.condition(parameters)}"
    row = await connection.fetchrow(
        f"SELECT created_at, id, {FIRST_SEEN} AS first_seen_ms "  # noqa: S608
        f"FROM unnest({wanted}) AS wanted (kind) CROSS JOIN LATERAL ("
        f"SELECT created_at, id FROM {view.relation} WHERE {where} ORDER BY {order} LIMIT 1) AS found "
        f"ORDER BY {order} LIMIT 1",
        *parameters.values,
    )
    return None if row is None else Dated(row["id"].hex(), row["created_at"], row["first_seen_ms"])


def _author(pubkey: str, parameters: Parameters) -> str:
    return condition(Filter(authors=(pubkey,)), parameters)
