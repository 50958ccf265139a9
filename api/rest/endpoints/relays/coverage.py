"""`/v1/relays/{url}/coverage`: which times were read completely of a relay, and what is known to be missing."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from api.rest.endpoint import Answer, Asked, Endpoint
from api.rest.endpoints.relays.parts import OneRelay, read_shown
from core.archive.connection import Connection
from core.archive.coverage import FilterState, RelayState, read_coverage

MOST_RANGES = 1000
"""Of a filter that are told, and as many gaps: a relay that is read has a few of each."""


class GapAnswer(Answer):
    """Seconds, both included, that are known not to be complete."""

    since: int
    until: int
    reason: str = Field(description="Why, such as `closed` or `rate_limited`")
    tries: int = Field(description="How often they were asked for in vain")
    retry_at: int | None = Field(description="When they are asked for again, Unix seconds; null: they are due")


class FilterCoverageAnswer(Answer):
    """What was read with one filter."""

    filter: dict[str, Any] | None = Field(description="As it is sent, {} for everything; null: not known")
    authenticated: bool = Field(description="It was read after AUTH (NIP-42)")
    read: list[tuple[int, int]] = Field(
        description="Ranges of Unix seconds, both included, that were read completely: the newest 1,000, newest first"
    )
    gaps: list[GapAnswer] = Field(description="The newest 1,000, newest first")
    is_all: bool = Field(description="No range and no gap is left out")


class CoverageAnswer(Answer):
    """What was read of a relay, as of the newest record that is archived."""

    followed_until: int | None = Field(description="It was followed up to this Unix second; null: it never was")
    updated_at: int | None = Field(description="When all this was true, Unix seconds; null: it was never read")
    filters: list[FilterCoverageAnswer]


async def _respond(asked: Asked[OneRelay]) -> CoverageAnswer:
    url = asked.question.url

    async def work(connection: Connection) -> list[RelayState]:
        return await read_coverage(connection, url.url)

    found = await read_shown(asked, url, work)
    if not found:
        return CoverageAnswer(followed_until=None, updated_at=None, filters=[])
    (state,) = found
    return CoverageAnswer(
        followed_until=state.cursor_s,
        updated_at=state.updated_at_ms // 1000,
        filters=[_filter(each) for each in state.filters],
    )


def _filter(found: FilterState) -> FilterCoverageAnswer:
    return FilterCoverageAnswer(
        filter=found.wire,
        authenticated=found.identity is not None,
        read=found.read[: -MOST_RANGES - 1 : -1],
        gaps=[
            GapAnswer(
                since=each.since_s, until=each.until_s, reason=each.reason, tries=each.tries, retry_at=each.retry_at_s
            )
            for each in found.gaps[:MOST_RANGES]
        ],
        is_all=len(found.read) <= MOST_RANGES and len(found.gaps) <= MOST_RANGES,
    )


ENDPOINTS = (
    Endpoint(
        path="/v1/relays/{url:path}/coverage",
        summary="Which times were read completely of a relay, and what is known to be missing",
        tag="relays",
        question=OneRelay,
        answer=CoverageAnswer,
        respond=_respond,
    ),
)
