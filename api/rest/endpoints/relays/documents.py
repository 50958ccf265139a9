"""`/v1/relays/{url}/documents`: information documents (NIP-11) of a relay, and what changed."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from api.rest.endpoint import Answer, Asked, Endpoint
from api.rest.endpoints.relays.parts import OneRelay, read_shown
from core.archive.connection import Connection
from core.archive.queries.relays.documents import DocumentSuccession, PresentDocument, read_documents


class DocumentAnswer(Answer):
    """The document that the relay gives now."""

    hash: str = Field(description="SHA-256 of its bytes, hex")
    first_seen_at: int = Field(description="When it was first met, at this relay or another, Unix seconds")
    text: str = Field(description="As it was sent")
    members: dict[str, Any] | None = Field(description="What could be understood of it; null: it is no JSON object")


class MemberChangeAnswer(Answer):
    """A member of which the value differs; null: it is not there."""

    member: str
    before: Any
    after: Any


class DocumentChangeAnswer(Answer):
    """A document that took the place of another."""

    at: int = Field(description="The probe that met it, Unix seconds")
    before: str | None = Field(description="Hash of the old one; null: there was none")
    after: str | None = Field(description="Hash of the new one; null: there is none any more")
    members: list[MemberChangeAnswer] = Field(description="What differs, as far as both documents are kept")


class DocumentsAnswer(Answer):
    """The information documents of a relay."""

    document: DocumentAnswer | None = Field(description="null: it gives none, or was never asked")
    changes: list[DocumentChangeAnswer] = Field(description="Newest first, at most 20")


async def _respond(asked: Asked[OneRelay]) -> DocumentsAnswer:
    url = asked.question.url

    async def work(connection: Connection) -> tuple[PresentDocument | None, list[DocumentSuccession]]:
        return await read_documents(connection, url.url)

    present, changes = await read_shown(asked, url, work)
    return DocumentsAnswer(
        document=None if present is None else _document(present), changes=[_change(each) for each in changes]
    )


def _document(found: PresentDocument) -> DocumentAnswer:
    return DocumentAnswer(
        hash=found.hash, first_seen_at=found.first_seen_ms // 1000, text=found.text, members=found.members
    )


def _change(found: DocumentSuccession) -> DocumentChangeAnswer:
    return DocumentChangeAnswer(
        at=found.at_ms // 1000,
        before=found.before,
        after=found.after,
        members=[MemberChangeAnswer(**each._asdict()) for each in found.members],
    )


ENDPOINTS = (
    Endpoint(
        path="/v1/relays/{url:path}/documents",
        summary="Information documents (NIP-11) of a relay, and what changed",
        tag="relays",
        question=OneRelay,
        answer=DocumentsAnswer,
        respond=_respond,
    ),
)
