"""How the digest covers a table: how its rows are read, and which bytes of each of them are hashed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import orjson

_DAY_S = 86_400
# datetime ends with the year 9999; ids commit to times up to 2^40, some 35,000 years.
_LAST_DAY = datetime(9999, 12, 31, tzinfo=UTC).timestamp() // _DAY_S


class DigestTable(NamedTuple):
    """A table, how its rows are read, and what they count as.

    Attributes:
        name: of the table.
        query: without a condition; it may be followed by `WHERE`.
        item: the bytes that a row counts as. Raises `core.archive.rows.DamagedRowError`.
        dated_by: the column (Unix seconds) whose month a row belongs to; None: rows have no time.
        is_partitioned: whether it has a partition a month, which may be read apart.
        is_state: whether it changes while relays are read, without any event. State is told apart, because a rebuild of
            a running archive is always a moment behind; all else must be given back by a rebuild, whatever came first
            and how often.
    """

    name: str
    query: str
    item: Callable[[Any], bytes]
    dated_by: str | None = None
    is_partitioned: bool = False
    is_state: bool = False


def month_of(second: int) -> str:
    """The month (UTC) of a Unix second, as `2026-11`; `later` from the year 10000 on."""
    return _month_of_day(second // _DAY_S)


def whole_rows(name: str, columns: Sequence[str], dated_by: str | None = None) -> DigestTable:
    """A table whose rows count with all of these columns."""
    return DigestTable(name, f"SELECT {', '.join(columns)} FROM {name}", all_values, dated_by)  # noqa: S608 - ours


def all_values(row: Iterable[Any]) -> bytes:
    """All of a row, as JSON."""
    return orjson.dumps([_plain(value) for value in row])


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    return [_plain(item) for item in value] if isinstance(value, list) else value


@lru_cache(maxsize=100_000)
def _month_of_day(day: int) -> str:
    return "later" if day > _LAST_DAY else f"{datetime.fromtimestamp(day * _DAY_S, UTC):%Y-%m}"
