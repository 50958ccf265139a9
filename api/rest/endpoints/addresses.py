"""`/v1/addresses/{address}`: the current version of a replaceable or addressable event, and all its versions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus

from pydantic import Field

from api.rest.cursor import decode_key, encode_key
from api.rest.endpoint import Answer, Asked, Endpoint, Question
from api.rest.endpoints.asking import not_found
from api.rest.endpoints.one_event import EventAnswer, event_answer
from api.rest.problem import ProblemError
from api.rest.question_types import AddressText, Cursor, PageSize
from api.rest.signed import PAGE_BYTES
from core.archive.queries.versions import UnlistedError, current_version, versions

_UNLISTED_S = 60.0
"""`bigbrotr migrate` lists about a hundred thousand events a second; large archives take minutes."""


class AddressQuestion(Question):
    """Which address."""

    address: AddressText


class VersionsQuestion(Question):
    """Which address, and which page."""

    address: AddressText
    limit: PageSize = Field(100, le=500)
    cursor: Cursor | None = None


class VersionsAnswer(Answer):
    """Versions of an address, newest first, of equal times the lowest id first; the first one is current (NIP-01)."""

    versions: list[EventAnswer] = Field(description="Fewer than `limit` where some are hidden or large")
    next: str | None = Field(description="Cursor of the next page; null: this is the last one")


async def _current(asked: Asked[AddressQuestion]) -> EventAnswer:
    work = partial(current_version, address=asked.question.address, view=asked.context.view)
    with _listed():
        found = await asked.context.reader.read(asked.client, work, one_moment=True)
    if found is None or not found.is_shown:
        raise not_found(
            "address",
            "the archive has no current version of it to show: it has none, or the newest is hidden, being deleted, "
            "expired or the like; older ones do not take its place, and are at …/versions",
        )
    return event_answer(found.known)


async def _all(asked: Asked[VersionsQuestion]) -> VersionsAnswer:
    question = asked.question
    below = None if question.cursor is None else decode_key(question.cursor)
    work = partial(
        versions,
        address=question.address,
        view=asked.context.view,
        limit=question.limit,
        below=below,
        answer_bytes=PAGE_BYTES,
    )
    with _listed():
        found = await asked.context.reader.read(asked.client, work)
    return VersionsAnswer(
        versions=[event_answer(each) for each in found.shown],
        next=None if found.below is None else encode_key(found.below),
    )


@contextmanager
def _listed() -> Iterator[None]:
    """Turn the error of an archive whose versions are not all listed into a problem."""
    try:
        yield
    except UnlistedError as error:
        raise ProblemError(
            HTTPStatus.SERVICE_UNAVAILABLE,
            f"not ready: {error}; ask again when that has ended",
            retry_after_s=_UNLISTED_S,
        ) from error


ENDPOINTS = (
    Endpoint(
        path="/v1/addresses/{address:path}",
        summary="The current version of a replaceable or addressable event, as /v1/events/{id} gives it",
        tag="addresses",
        question=AddressQuestion,
        answer=EventAnswer,
        respond=_current,
    ),
    Endpoint(
        path="/v1/addresses/{address:path}/versions",
        summary="All versions of a replaceable or addressable event, newest first",
        tag="addresses",
        question=VersionsQuestion,
        answer=VersionsAnswer,
        respond=_all,
    ),
)
