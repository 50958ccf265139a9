"""`/v1/relays`: relays of the registry with their health."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from api.rest.cursor import decode_cursor, encode_cursor
from api.rest.endpoint import Answer, Asked, Endpoint, Question
from api.rest.endpoints.relays.parts import SummaryAnswer, summary_values
from api.rest.problem import ProblemError
from api.rest.question_types import Cursor, PageSize
from core.archive.connection import Connection
from core.archive.queries.relays.listing import RelayChoice, RelayKey, RelaySort, RelaySummary, list_relays
from schemas.records.relay_health import HealthState
from schemas.relay_urls.relay_url import Network

_Nip = Annotated[str, StringConstraints(pattern="^([0-9]{1,4}|[0-9A-F]{2})$")]


class Relays(Question):
    """Which relays, in which order: all conditions that are given hold for each of them."""

    network: Network | None = Field(None, description="How it is reached")
    state: Literal["candidate", "confirmed", "silent", "refused"] | None = Field(None, description="In the registry")
    health: HealthState | None = Field(None, description="As it was last judged")
    nip: list[_Nip] | None = Field(
        None, description="NIPs that it says it supports, all of them: numbers, or two hex digits", max_length=10
    )
    software: Annotated[str, StringConstraints(pattern=r"^[^\x00]{1,100}$")] | None = Field(
        None, description="A part of what its document names as software, in any case"
    )
    country: Annotated[str, StringConstraints(pattern="^[A-Za-z]{2}$")] | None = Field(
        None, description="ISO 3166-1 alpha-2: where its address is; where that is not known, what its document says"
    )
    sort: RelaySort = Field(
        RelaySort.URL,
        description="url; uptime: the highest first; latency: the lowest first; since: whose health changed last "
        "first; first_seen: who was named last first. All but url leave out relays of which the value is not known",
    )
    limit: PageSize = Field(100, le=500)
    cursor: Cursor | None = Field(None, description="`next` of the page before, which had the same sort")


class RelaysAnswer(Answer):
    """A page of relays. Denied ones, and those that only a private network reaches, are left out."""

    relays: list[SummaryAnswer]
    next: str | None = Field(description="Cursor of the next page; null: this page is the last")


async def _respond(asked: Asked[Relays]) -> RelaysAnswer:
    question = asked.question
    choice = RelayChoice(
        question.network,
        question.state,
        question.health,
        tuple(question.nip or ()),
        question.software,
        None if question.country is None else question.country.upper(),
    )
    above = None if question.cursor is None else _key(question.cursor, question.sort)

    async def work(connection: Connection) -> tuple[list[RelaySummary], RelayKey | None]:
        return await list_relays(connection, choice, question.sort, limit=question.limit, above=above)

    found, following = await asked.context.reader.read(asked.client, work)
    return RelaysAnswer(
        relays=[SummaryAnswer(**summary_values(each)) for each in found],
        next=None if following is None else encode_cursor(question.sort, *following),
    )


def _key(cursor: str, sort: RelaySort) -> RelayKey:
    of_sort, value, url = decode_cursor(cursor, str, int, str)
    if of_sort != sort:
        detail = "cursor: is of another order; give the sort of the page before, or leave the cursor out"
        raise ProblemError(HTTPStatus.BAD_REQUEST, detail, parameter="cursor")
    return RelayKey(int(value), str(url))


ENDPOINTS = (
    Endpoint(
        path="/v1/relays",
        summary="Relays of the registry with their health",
        tag="relays",
        question=Relays,
        answer=RelaysAnswer,
        respond=_respond,
    ),
)
