"""What endpoints about relays share: the relay that a path names, and models of what several of them tell."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema

from api.rest.endpoint import Answer, Asked, Question
from api.rest.endpoints.asking import not_found, seconds
from core.archive.connection import Connection
from core.archive.queries.relays.listing import RelaySummary
from core.archive.queries.relays.one import is_shown
from schemas.records.probe import Cause, Verdict
from schemas.records.relay import Lane, State
from schemas.records.relay_health import HealthState
from schemas.relay_urls.relay_url import MAX_URL_LENGTH, Network, RelayUrl, normalize

T = TypeVar("T")
_NOT_SHOWN = (
    "the archive knows no such relay, or none that it shows: relays of private networks and denied ones are not"
)


_MERGED = re.compile(r"\s*wss?:/(?!/)", re.IGNORECASE)
"""How a URL arrives where a client or a proxy merges the slashes of a path."""


def _relay(value: Any) -> RelayUrl:
    text = str(value)
    merged = _MERGED.match(text)
    return normalize(text if merged is None else f"{merged[0]}/{text[merged.end() :]}")


RelayAddress = Annotated[
    RelayUrl,
    PlainValidator(_relay),
    WithJsonSchema({"type": "string", "maxLength": MAX_URL_LENGTH, "examples": ["wss://relay.example.com"]}),
]
"""Becomes a normalised URL."""


class OneRelay(Question):
    """Which relay."""

    url: RelayAddress = Field(
        description="URL of the relay in any spelling, percent-encoded; private addresses are none"
    )


async def read_shown(asked: Asked[Any], url: RelayUrl, work: Callable[[Connection], Awaitable[T]]) -> T:
    """Do work for a relay that is known and shown.

    Raises:
        ProblemError: 404; it does not tell a relay that is not shown from an unknown one.
    """

    async def checked(connection: Connection) -> T:
        if not await is_shown(connection, url):
            raise not_shown()
        return await work(connection)

    return await asked.context.reader.read(asked.client, checked)


def not_shown() -> Exception:
    """The problem of a relay that is not known or not shown."""
    return not_found("url", _NOT_SHOWN)


class HealthAnswer(Answer):
    """The health of a relay, as it was last judged."""

    state: HealthState = Field(
        description="online: works, or serves others; refused: answers and does not serve us; offline: down "
        "after two attempts; unknown: not probed within the time that its schedule promises"
    )
    since: int | None = Field(description="In this state since, Unix seconds")
    verdict: Verdict | None = Field(description="Of the newest probe")
    cause: Cause | None = Field(description="What a verdict other than `works` is for")
    probed_at: int | None = Field(description="The newest probe, Unix seconds")
    uptime: float | None = Field(description="Share of the known seconds of the last 24 hours before that, 0 to 1")
    open_ms: int | None = Field(description="How long the newest probe took to open it, milliseconds; null: it failed")


class SummaryAnswer(Answer):
    """A relay in short; null: not known."""

    url: str = Field(description="Normalised URL")
    network: Network
    state: State | None = Field(
        description="In the registry. candidate: never answered yet; confirmed: has spoken Nostr; silent: does not "
        "answer; refused: answers and will not serve; null: the registry does not know it"
    )
    lane: Lane | None = Field(description="priority: always read; regular: in turn; ignored: known and not read")
    duplicate_of: str | None = Field(description="URL of the same relay, which is read instead")
    first_seen_at: int | None = Field(description="When it was named first, Unix seconds")
    health: HealthAnswer | None = Field(description="null: it was never probed")
    country: str | None = Field(description="Where its address is (ISO 3166-1), by a database of addresses")
    name: str | None = Field(description="By its information document (NIP-11), as all that follows")
    software: str | None
    version: str | None
    nips: list[int] = Field(description="Numbers of NIPs that it says it supports")
    named_nips: list[str] = Field(description="NIPs whose name is two hex digits and no number, such as 7D, likewise")


def summary_values(found: RelaySummary) -> dict[str, Any]:
    """The values of a `SummaryAnswer`."""
    health = None
    if found.health is not None:
        health = HealthAnswer(
            state=found.health,
            since=seconds(found.since_ms),
            verdict=found.verdict,
            cause=found.cause,
            probed_at=seconds(found.probed_at_ms),
            uptime=found.uptime,
            open_ms=found.open_ms,
        )
    same = SummaryAnswer.model_fields.keys() - {"health", "first_seen_at"}
    values = {name: getattr(found, name) for name in same}
    return {**values, "health": health, "first_seen_at": seconds(found.first_seen_ms)}


class Trimmed(Answer):
    """What is left of a record for the public: its other members are dropped."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    @classmethod
    def of(cls, record: BaseModel) -> Self:
        """Take what is public of a record."""
        return cls.model_validate(record.model_dump())
