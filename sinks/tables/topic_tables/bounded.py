"""Bounds values of state records for PostgreSQL: what a topic holds may be anything that its schema lets through."""

from __future__ import annotations

import math
from typing import Any

EXACT_MAX = 2**53
"""Times and counts beyond are stored as this: integers up to here are exact in every JSON library (RFC 8259 section 6),
and the end of an `int8range` does not overflow. No event of the archive is dated there."""
INT32_MAX = 2**31 - 1


def near(value: float) -> float:
    """The number, or the nearest that is stored."""
    return min(max(value, -EXACT_MAX), EXACT_MAX)


def whole(value: int | None) -> int | None:
    """A time or a count as `bigint`."""
    return None if value is None else int(near(value))


def text(value: str, length: int) -> str:
    """The first characters, without U+0000, which `text` and `jsonb` refuse."""
    return value[:length].replace("\0", "\N{REPLACEMENT CHARACTER}")


def count(value: int) -> int:
    """A number of things or seconds as `integer`."""
    return min(max(value, 0), INT32_MAX)


def jsonb(value: Any) -> Any:
    """A value of JSON as `jsonb` takes it: its numbers finite and exact, its texts without U+0000."""
    if isinstance(value, str):
        return text(value, len(value))
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return whole(value)
    if isinstance(value, float):
        return near(value) if math.isfinite(value) else None
    if isinstance(value, dict):
        return {jsonb(key): jsonb(item) for key, item in value.items()}
    return [jsonb(item) for item in value] if isinstance(value, list | tuple) else value
