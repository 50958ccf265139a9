"""`/v1/events/{id}/sightings`: which relays had an event, and when each was first seen to."""

from __future__ import annotations

from pydantic import Field

from api.rest.cursor import decode_cursor, encode_cursor
from api.rest.endpoint import Answer, Asked, Endpoint, Question
from api.rest.endpoints.asking import wanted_event
from api.rest.question_types import Cursor, EventId, PageSize
from core.archive.connection import Connection
from core.archive.queries.sightings import read_sightings
from core.archive.selection import Seen


class SightingsOf(Question):
    """Which event, and which page."""

    id: EventId
    limit: PageSize = Field(100, le=500)
    cursor: Cursor | None = None


class SightingAnswer(Answer):
    """That a relay had the event."""

    relay: str = Field(description="Normalised URL")
    first_seen_at: int = Field(description="When it was first seen to have it, Unix seconds")


class SightingsAnswer(Answer):
    """Relays that had the event, the first one first; denied ones and those of private networks are left out."""

    sightings: list[SightingAnswer]
    next: str | None = Field(description="Cursor of the next page; null: this is the last one")


async def _respond(asked: Asked[SightingsOf]) -> SightingsAnswer:
    question = asked.question
    above = None if question.cursor is None else _key(question.cursor)

    async def work(connection: Connection) -> tuple[list[Seen], Seen | None]:
        known = await wanted_event(connection, question.id, asked.context.view)
        return await read_sightings(connection, known.event, limit=question.limit, above=above)

    found, following = await asked.context.reader.read(asked.client, work)
    return SightingsAnswer(
        sightings=[SightingAnswer(relay=each.relay, first_seen_at=each.at_ms // 1000) for each in found],
        next=None if following is None else encode_cursor(following.at_ms, following.relay),
    )


def _key(cursor: str) -> Seen:
    at_ms, relay = decode_cursor(cursor, int, str)
    return Seen(str(relay), int(at_ms))


ENDPOINTS = (
    Endpoint(
        path="/v1/events/{id}/sightings",
        summary="Which relays had an event, and when each was first seen to",
        tag="events",
        question=SightingsOf,
        answer=SightingsAnswer,
        respond=_respond,
    ),
)
