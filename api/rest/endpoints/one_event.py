"""`/v1/events/{id}`: one event, its facts, and what the archive knows of it."""

from __future__ import annotations

import time

from pydantic import Field

from api.rest.endpoint import Answer, Asked, Endpoint, Question
from api.rest.endpoints.asking import seconds, wanted_event
from api.rest.question_types import EventId
from api.rest.signed import SignedEvent
from core.archive.connection import Connection
from core.archive.queries.one_event import KnownEvent
from schemas.nostr.facts import facts
from schemas.nostr.kinds import EventClass


class OneEvent(Question):
    """Which event."""

    id: EventId


class Deletes(Answer):
    """What a deletion request (NIP-09) names."""

    ids: list[str] = Field(description="Events, at most 2,000; only those of its own author are deleted by it")
    addresses: list[str] = Field(description="Addresses of its own author, at most 2,000")


class Vanish(Answer):
    """What a request to vanish (NIP-62) is for."""

    relays: list[str] = Field(description="Relays as they are written, at most 2,000, or `ALL_RELAYS`")


class Facts(Answer):
    """What follows from the event alone; null: it does not apply."""

    class_: EventClass = Field(alias="class", description="How relays store its kind (NIP-01)")
    address: str | None = Field(None, description="`kind:pubkey:d` of a replaceable or addressable event")
    expiration: int | None = Field(None, description="When it expires (NIP-40), Unix seconds")
    pow: int | None = Field(None, description="Bits of work that it commits to and its id has (NIP-13)")
    protected: bool = Field(default=False, description="Only its author may publish it (NIP-70)")
    future: bool = Field(default=False, description="It is dated more than an hour after it was first seen")
    del_form: bool = Field(
        default=False, description="Its id is of a serialisation that escapes U+007F, as some relays do"
    )
    deletes: Deletes | None = None
    vanish: Vanish | None = None
    capped: bool = Field(default=False, description="A list above is not complete; the event has the rest")


class Flags(Answer):
    """What its author asked for, where the policy of this archive shows the event all the same."""

    deleted_by: str | None = Field(description="Id of the deletion request that covers it (NIP-09)")
    vanished_by: str | None = Field(description="Id of the request to vanish that covers it (NIP-62)")
    expires_at: int | None = Field(description="When it expires (NIP-40), Unix seconds")
    is_expired: bool = Field(description="That was before this answer")


class EventAnswer(Answer):
    """An event and what is known of it."""

    event: SignedEvent
    first_seen_at: int | None = Field(description="When a relay was first seen to have it, Unix seconds")
    facts: Facts
    flags: Flags


async def _respond(asked: Asked[OneEvent]) -> EventAnswer:
    async def work(connection: Connection) -> KnownEvent:
        return await wanted_event(connection, asked.question.id, asked.context.view)

    return event_answer(await asked.context.reader.read(asked.client, work))


def event_answer(known: KnownEvent) -> EventAnswer:
    """Write what is known of an event."""
    now_s = int(time.time())
    first_seen_ms = known.first_seen_ms
    seen_ms = now_s * 1000 if first_seen_ms is None else first_seen_ms
    return EventAnswer(
        event=known.event,
        first_seen_at=seconds(first_seen_ms),
        facts=Facts.model_validate(facts(known.event, known.id_form, seen_ms)),
        flags=Flags(
            deleted_by=known.deleted_by,
            vanished_by=known.vanished_by,
            expires_at=known.expires_at,
            is_expired=known.expires_at is not None and known.expires_at <= now_s,
        ),
    )


ENDPOINTS = (
    Endpoint(
        path="/v1/events/{id}",
        summary="One event as it was signed, its facts, and what its author asked for",
        tag="events",
        question=OneEvent,
        answer=EventAnswer,
        respond=_respond,
    ),
)
