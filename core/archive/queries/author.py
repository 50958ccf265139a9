"""What the archive has of an author: the newest version of lists and profile, and how many events of each kind."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from core.archive.connection import Connection
from core.archive.event_query import Parameters, condition
from core.archive.queries.one_event import FIRST_SEEN
from core.archive.queries.view import View
from core.archive.rows import COLUMN_LIST, readable_event
from schemas.lookup import key_prefix
from schemas.nostr.event import Event
from schemas.nostr.filters import Filter

MOST_KINDS = 64
"""Of an author that are counted, the lowest: people sign a dozen, and each costs a look into every month."""
MOST_COUNTED = 1000
"""Of a kind that are counted exactly, so that an author of millions costs 64,000 rows."""

# The index (pubkey_prefix, kind, created_at) is entered once for each kind that there is.
_KINDS = """
WITH RECURSIVE known AS (
    (SELECT kind FROM events WHERE pubkey_prefix = $1 AND pubkey = $2 ORDER BY kind LIMIT 1)
    UNION ALL
    SELECT (SELECT events.kind FROM events
        WHERE pubkey_prefix = $1 AND pubkey = $2 AND events.kind > known.kind ORDER BY events.kind LIMIT 1)
    FROM known WHERE known.kind IS NOT NULL
)
SELECT kind FROM known WHERE kind IS NOT NULL LIMIT $3
"""


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
        is_all: no further kinds are known.
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
    key = bytes.fromhex(pubkey)
    rows = await connection.fetch(_KINDS, key_prefix(key), key, MOST_KINDS + 1)
    kinds = [row["kind"] for row in rows[:MOST_KINDS]]
    counts = await _counts(connection, pubkey, kinds, view)
    counted = [KindCount(kind, *found) for kind, found in zip(kinds, counts, strict=True)]
    shown = [each for each in counted if each.number]
    names = [each.kind for each in shown]
    oldest = await _dated(connection, pubkey, names, view, "created_at, id DESC")
    newest = await _dated(connection, pubkey, names, view, "created_at DESC, id")
    return AuthorCounts(shown, len(rows) <= MOST_KINDS, oldest, newest)


async def _counts(connection: Connection, pubkey: str, kinds: Sequence[int], view: View) -> list[tuple[int, bool]]:
    parameters = Parameters()
    wanted = parameters.add(kinds, "integer[]")
    most = parameters.add(MOST_COUNTED + 1, "bigint")
    where = f"{_author(pubkey, parameters)} AND kind = wanted.kind AND {view.condition(parameters)}"
    rows = await connection.fetch(
        f"SELECT (SELECT count(*) FROM (SELECT FROM {view.relation} WHERE {where} LIMIT {most}) AS found) AS number "  # noqa: S608
        f"FROM unnest({wanted}) WITH ORDINALITY AS wanted (kind, place) ORDER BY place",
        *parameters.values,
    )
    return [(min(row["number"], MOST_COUNTED), row["number"] <= MOST_COUNTED) for row in rows]


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
