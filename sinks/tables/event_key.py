"""How a row refers to its event: rules of erasure and audits find by it the rows of an event in every table."""

from __future__ import annotations

from collections.abc import Sequence

EVENT_KEY = ("created_at", "id")
"""The columns of the table `events`, and of each that has the same key."""
REQUEST_ID = ("request_id",)
"""Of tables whose key begins with something else, and that have an index on this column."""


def same_event(columns: Sequence[str]) -> str:
    """The condition in SQL that a row `stored` is of an `event`, which has `created_at` and `id`.

    Args:
        columns: of the row: the event's time and id, or its id alone.
    """
    pairs = zip(reversed(columns), reversed(EVENT_KEY), strict=False)
    return " AND ".join(f"stored.{column} = event.{name}" for column, name in pairs)
