"""`/v1/relays/{url}/probes`: probes of a relay as they were made."""

from __future__ import annotations

from pydantic import Field

from api.rest.cursor import decode_cursor, encode_cursor
from api.rest.endpoint import Answer, Asked, Endpoint
from api.rest.endpoints.relays.checks import ChecksAnswer, ObservedAnswer
from api.rest.endpoints.relays.parts import OneRelay, read_shown
from api.rest.question_types import Cursor, PageSize, UnixSeconds
from core.archive.connection import Connection
from core.archive.event_query import BIGINT_MAX
from core.archive.queries.relays.probes import ProbeSeen, read_probes
from schemas.records.probe import Cause, Verdict


class ProbesOf(OneRelay):
    """Which relay, which probes, and which page."""

    since: UnixSeconds = Field(0, description="Unix seconds of the oldest, included")
    until: UnixSeconds | None = Field(None, description="Unix seconds of the newest, included")
    limit: PageSize = Field(50, le=500)
    cursor: Cursor | None = None


class ProbeAnswer(Answer):
    """A probe."""

    probed_at: int = Field(description="When it began, Unix seconds")
    is_full: bool = Field(description="All checks were due; else open and read")
    attempts: int = Field(description="2: the first attempt failed, and this is the outcome of the second")
    verdict: Verdict
    cause: Cause | None = Field(description="What a verdict other than `works` is for")
    open_ms: int | None = Field(description="How long opening took, milliseconds; null: it failed")
    read_ms: int | None = Field(description="How long the answer to a question took, milliseconds; null: none came")
    document: str | None = Field(description="SHA-256 of the information document that it got")
    checks: ChecksAnswer
    observed: ObservedAnswer
    monitor: str | None = Field(description="Public key of the prober, if it has one")


class ProbesAnswer(Answer):
    """Probes of a relay, newest first. They are kept for 28 days."""

    probes: list[ProbeAnswer]
    next: str | None = Field(description="Cursor of the next page; null: this page is the last")


async def _respond(asked: Asked[ProbesOf]) -> ProbesAnswer:
    question = asked.question
    # Of a second all milliseconds; what no probe of the archive can have is the same as the largest.
    below_ms = BIGINT_MAX if question.until is None else _ms(question.until + 1)
    if question.cursor is not None:
        below_ms = min(below_ms, *(int(part) for part in decode_cursor(question.cursor, int)))

    async def work(connection: Connection) -> tuple[list[ProbeSeen], int | None]:
        return await read_probes(
            connection, question.url.url, limit=question.limit, below_ms=below_ms, since_ms=_ms(question.since)
        )

    found, following = await read_shown(asked, question.url, work)
    return ProbesAnswer(
        probes=[_probe(each) for each in found], next=None if following is None else encode_cursor(following)
    )


def _ms(time_s: int) -> int:
    return min(time_s * 1000, BIGINT_MAX)


def _probe(found: ProbeSeen) -> ProbeAnswer:
    same = ("is_full", "attempts", "verdict", "cause", "open_ms", "read_ms", "document", "monitor")
    return ProbeAnswer(
        **{name: getattr(found, name) for name in same},
        probed_at=found.probed_at_ms // 1000,
        checks=ChecksAnswer.of(found.checks),
        observed=ObservedAnswer.of(found.observed),
    )


ENDPOINTS = (
    Endpoint(
        path="/v1/relays/{url:path}/probes",
        summary="Probes of a relay as they were made",
        tag="relays",
        question=ProbesOf,
        answer=ProbesAnswer,
        respond=_respond,
    ),
)
