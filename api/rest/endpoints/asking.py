"""What endpoints share: subjects of questions that must be there, and times as answers have them."""

from __future__ import annotations

from http import HTTPStatus

from api.rest.problem import ProblemError
from core.archive.connection import Connection
from core.archive.queries.one_event import KnownEvent, find_event
from core.archive.queries.view import View


async def wanted_event(connection: Connection, event_id: str, view: View) -> KnownEvent:
    """Read the event that a path names.

    Raises:
        ProblemError: 404; it does not tell an event that the policy hides from one that never came.
    """
    known = await find_event(connection, event_id, view)
    if known is None:
        raise not_found("id", "the archive has no event of this id that it shows")
    return known


def not_found(parameter: str, detail: str) -> ProblemError:
    """The problem of a path that names nothing that is shown."""
    return ProblemError(HTTPStatus.NOT_FOUND, f"{parameter}: {detail}", parameter=parameter)


def seconds(time_ms: int | None) -> int | None:
    """Unix seconds of Unix milliseconds."""
    return None if time_ms is None else time_ms // 1000
