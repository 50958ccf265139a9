"""Isolates the records of a batch that the database refuses, as opposed to a broken or unavailable database."""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import asyncpg

from core.archive.connection import Connection

T = TypeVar("T")


def is_row_error(error: BaseException) -> bool:
    """Whether a row is the cause: a value that PostgreSQL or its client refuses, as opposed to a broken database.

    A row for which no partition exists is disorder: the table has one for every time, or should have. So is a number
    of a relay that is not there.
    """
    if isinstance(error, asyncpg.CheckViolationError):
        return error.constraint_name is not None
    if isinstance(error, asyncpg.ForeignKeyViolationError):
        return False
    return isinstance(
        error,
        (
            asyncpg.DataError,
            asyncpg.IntegrityConstraintViolationError,
            asyncpg.ProgramLimitExceededError,
            UnicodeEncodeError,
            OverflowError,
            struct.error,
        ),
    )


async def find_bad(
    connection: Connection, items: Sequence[T], write: Callable[[Sequence[T]], Awaitable[object]], first: int = 0
) -> dict[int, str]:
    """Give the places of the items that the database refuses, with its reason, inside an open transaction.

    Halves are tried under savepoints, so one bad row among 250 costs some fifteen attempts.

    Args:
        connection: with a transaction, which the caller rolls back.
        items: to be tried.
        write: writes some of them and leaves nothing that stands in the way of the next.
        first: the place of the first item.

    Raises:
        Exception: what `write` raised, where no row is the cause.
    """
    try:
        async with connection.transaction():
            await write(items)
    except Exception as error:
        if not is_row_error(error):
            raise
        if len(items) == 1:
            # The lines that follow repeat the row, which is kept as it is.
            return {first: str(error).partition("\n")[0]}
        half = len(items) // 2
        bad = await find_bad(connection, items[:half], write, first)
        return bad | await find_bad(connection, items[half:], write, first + half)
    return {}
