"""`/v1/events/{id}/references`: replies, reactions, reposts, zaps and quotes of an event."""

from __future__ import annotations

from pydantic import Field

from api.rest.cursor import decode_key, encode_key
from api.rest.endpoint import Answer, Asked, Endpoint, Question
from api.rest.endpoints.asking import wanted_event
from api.rest.question_types import Cursor, EventId, PageSize
from api.rest.signed import PAGE_BYTES, SignedEvent
from core.archive.connection import Connection
from core.archive.event_query import Key
from core.archive.queries.cost import Deadline
from core.archive.queries.counting import Count
from core.archive.queries.references import Reference, count_references, read_references
from schemas.nostr.reading.references import ReferenceClass


class ReferencesTo(Question):
    """Which event, which references, and which page."""

    id: EventId
    class_: ReferenceClass | None = Field(None, alias="class", description="Only of this class; left out: of all")
    limit: PageSize = Field(50, le=500)
    cursor: Cursor | None = None


class ReferenceCount(Answer):
    """How many events refer in one way."""

    number: int
    is_exact: bool = Field(description="False: about so many, as the database estimates")


class ReferenceCounts(Answer):
    """How many events refer to it, each class exactly up to 1,000."""

    replies: ReferenceCount = Field(description="Notes (NIP-10) and comments (NIP-22) in whose thread it is")
    reactions: ReferenceCount = Field(description="Kind 7 (NIP-25)")
    reposts: ReferenceCount = Field(description="Kinds 6 and 16 (NIP-18)")
    zaps: ReferenceCount = Field(description="Receipts of kind 9735 (NIP-57); their payments are not verified")
    quotes: ReferenceCount = Field(description="Events of any kind that name it in a `q` tag (NIP-18)")


class ReferenceAnswer(Answer):
    """An event that refers to it."""

    classes: list[ReferenceClass] = Field(description="How it refers, in one way or more")
    is_direct: bool | None = Field(description="Of a reply: to the event itself, not to another of its thread")
    event: SignedEvent


class ReferencesAnswer(Answer):
    """What refers to the event, newest first."""

    counts: ReferenceCounts | None = Field(description="With the first page; null with others")
    references: list[ReferenceAnswer]
    next: str | None = Field(description="Cursor of the next page; null: this is the last one")


async def _respond(asked: Asked[ReferencesTo]) -> ReferencesAnswer:
    question, view = asked.question, asked.context.view
    below = None if question.cursor is None else decode_key(question.cursor)
    classes = frozenset(ReferenceClass) if question.class_ is None else frozenset({question.class_})
    settings = asked.context.settings.api
    limit = min(question.limit, settings.page_events)

    async def work(
        connection: Connection,
    ) -> tuple[dict[ReferenceClass, Count] | None, list[Reference], Key | None]:
        deadline = Deadline(settings.query_timeout_s)
        target = (await wanted_event(connection, question.id, view)).event
        # First, because a count that takes too long becomes an estimate, and a page does not.
        found, following = await read_references(
            connection,
            target,
            view,
            classes=classes,
            limit=limit,
            deadline=deadline,
            below=below,
            answer_bytes=PAGE_BYTES,
        )
        counts = await count_references(connection, target, view, deadline=deadline) if below is None else None
        return counts, found, following

    counts, found, following = await asked.context.reader.read(asked.client, work)
    return ReferencesAnswer(
        counts=None if counts is None else _counts(counts),
        references=[
            ReferenceAnswer(classes=each.classes, is_direct=each.is_direct, event=each.event) for each in found
        ],
        next=None if following is None else encode_key(following),
    )


def _counts(counts: dict[ReferenceClass, Count]) -> ReferenceCounts:
    return ReferenceCounts.model_validate({each.value: found._asdict() for each, found in counts.items()})


ENDPOINTS = (
    Endpoint(
        path="/v1/events/{id}/references",
        summary="Replies, reactions, reposts, zaps and quotes of an event",
        tag="events",
        question=ReferencesTo,
        answer=ReferencesAnswer,
        respond=_respond,
    ),
)
