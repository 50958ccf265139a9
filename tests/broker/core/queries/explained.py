"""What the statements of a reading cost the database, as it says itself."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, NamedTuple

import orjson

from core.archive.connection import Connection

if TYPE_CHECKING:
    from asyncpg.connection import LoggedQuery


class Cost(NamedTuple):
    """Of some statements together.

    Attributes:
        statements: how many.
        buffers: pages that they read, whether in memory or not, without those that planning reads.
        planning_ms: to plan each anew.
        execution_ms: to run them.
    """

    statements: int
    buffers: int
    planning_ms: float
    execution_ms: float


async def cost(connection: Connection, read: Callable[[Connection], Awaitable[object]]) -> Cost:
    """Read, then have the database explain every statement of it while it runs it again."""
    # The first time, the client asks for types.
    await read(connection)
    made: list[LoggedQuery] = []
    with connection.query_logger(made.append):
        await read(connection)
        await asyncio.sleep(0)  # it is told of the last one then
    explained = []
    for each in made:
        text = await connection.fetchval(
            f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {each.query}", *each.args
        )
        explained += orjson.loads(text)
    return Cost(
        len(made),
        sum(each["Plan"]["Shared Hit Blocks"] + each["Plan"]["Shared Read Blocks"] for each in explained),
        sum(each["Planning Time"] for each in explained),
        sum(each["Execution Time"] for each in explained),
    )
