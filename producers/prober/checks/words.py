"""Words of strangers as they may stand in a record: short, in one line, and nothing that a terminal or JSON minds."""

from __future__ import annotations

from core.waiting import brief
from schemas.records.probe import LONGEST_WORDS


def words(text: str) -> str:
    """Bring a text that a server sent to one line of bounded length; what is not printable becomes `?`."""
    line = " ".join(text[: 2 * LONGEST_WORDS].split())
    return "".join(char if char.isprintable() else "?" for char in line[:LONGEST_WORDS])


def failure(error: BaseException, timeout_s: float) -> str:
    """Say why a check failed.

    Args:
        error: that ended it.
        timeout_s: what it had; an error of its own says so of a time-out only.
    """
    return f"no answer within {timeout_s:g} s" if isinstance(error, TimeoutError) else words(brief(error))
