"""How many events filters match: exact up to a bound, above it as the planner estimates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import orjson

from core.archive.connection import Connection
from core.archive.event_query import Parameters, any_of, estimated
from core.archive.queries.cost import Budget, Deadline, LateError, TooCostlyError
from core.archive.queries.keys import KeyReader
from core.archive.queries.merge import Found
from core.archive.queries.parts import Part, parts
from core.archive.queries.view import View
from schemas.nostr.filters import Filter
from schemas.nostr.kinds import PRIVATE_KINDS


class Count(NamedTuple):
    """How many events; where not `is_exact`, about so many."""

    number: int
    is_exact: bool


async def count(
    connection: Connection, filters: Sequence[Filter], view: View, *, exact_up_to: int, deadline: Deadline
) -> Count:
    """Count the events that any of the filters matches and a view shows, each once; limits are not looked at.

    More than `exact_up_to` are estimated, and so are fewer where finding them would cost too much, or takes longer than
    the deadline allows. An estimate is from the planner's statistics, and takes hidden events for visible ones.
    """
    found: set[Found] = set()
    try:
        for each in filters:
            found.update(await KeyReader(connection, each, view, Budget(), deadline).read(exact_up_to + 1))
            if len(found) > exact_up_to:
                break
        else:
            return Count(len(found), is_exact=True)
    except (TooCostlyError, LateError):
        pass
    return Count(max(await _estimate(connection, filters, view), len(found)), is_exact=False)


async def _estimate(connection: Connection, filters: Sequence[Filter], view: View) -> int:
    parameters = Parameters()
    wanted = [_estimated(part, parameters) for each in filters for part in parts(each, view)]
    if not wanted:
        return 0
    statement = f"EXPLAIN (FORMAT JSON) SELECT FROM events WHERE {any_of(wanted)}"
    return int(orjson.loads(await connection.fetchval(statement, *parameters.values))[0]["Plan"]["Plan Rows"])


def _estimated(part: Part, parameters: Parameters) -> str:
    """Without private kinds that are not the reader's: what is guessed of them would tell how many there are."""
    conditions = [estimated(each, parameters) for each in part if each is not None]
    if part.wanted.kinds is None:
        conditions.append(f"kind <> ALL({parameters.add(sorted(PRIVATE_KINDS), 'integer[]')})")
    return " AND ".join(conditions)
