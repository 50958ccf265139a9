"""Bounds values of state records for PostgreSQL: what a topic holds may be anything that its schema lets through."""

from __future__ import annotations

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
