"""`/v1/relays/{url}`: what is known of one relay."""

from __future__ import annotations

from pydantic import Field

from api.rest.endpoint import Answer, Asked, Endpoint
from api.rest.endpoints.asking import seconds
from api.rest.endpoints.relays.checks import ChecksAnswer, ObservedAnswer
from api.rest.endpoints.relays.parts import OneRelay, SummaryAnswer, Trimmed, not_shown, summary_values
from core.archive.connection import Connection
from core.archive.queries.relays.one import KnownRelay, RelayHealthState, RelayState, find_relay
from schemas.nostr.relay_document import RelayInformation
from schemas.records.relay import Source, State


class StateChangeAnswer(Answer):
    """When a state of the registry began."""

    state: State
    since: int = Field(description="Unix seconds")


class RegistryAnswer(Answer):
    """What the registry says of the relay."""

    admitted_at: int | None = Field(description="When connectors were first told of it, Unix seconds")
    sources: list[Source] = Field(description="Who named it")
    authors: int = Field(description="How many authors of events have named it; 8: or more")
    places: list[str] = Field(description="Where events or lists have named it, such as `10002 r`")
    history: list[StateChangeAnswer] = Field(description="Newest last, at most 16")


class LimitsAnswer(Trimmed):
    """Bounds on what the relay is asked; null: not known."""

    max_limit: int | None
    max_subscriptions: int | None
    max_subid_length: int | None
    max_message_length: int | None


class HonestyAnswer(Trimmed):
    """What connectors met of the relay's answers."""

    copies: int = Field(description="Events received")
    repeated: int = Field(description="Of them, sent before")
    forged: int = Field(description="With a wrong id or signature, of a sample")
    disagreements: int = Field(description="Times of which two answers contradict each other")
    filters_ignored: int = Field(description="Times of which it sent what was not asked for")
    withheld: int = Field(description="Times of which it said there is more and gave nothing")


class ClaimAnswer(Answer):
    """What another monitor says of the relay (NIP-66)."""

    monitor: str = Field(description="Public key")
    at: int = Field(description="Its own time of the event that says the relay is online, Unix seconds")
    open_ms: int | None = Field(description="How long it says that opening took, milliseconds")


class ProbedAnswer(Answer):
    """What probes found out, beside the summary."""

    failures: int = Field(description="Probes in a row that did not find it online")
    full_at: int | None = Field(description="The newest probe with all checks, Unix seconds")
    online_at: int | None = Field(description="The newest probe that found it online, Unix seconds")
    checks: ChecksAnswer = Field(description="The newest outcome of each check")
    observed: ObservedAnswer = Field(description="What it was last seen to do")
    advertised: LimitsAnswer = Field(description="By its information document")
    learnt: LimitsAnswer = Field(description="As connectors and probes met them")
    honesty: HonestyAnswer
    monitors: list[ClaimAnswer] = Field(description="Newest last, at most 16")


class RelayAnswer(SummaryAnswer):
    """What is known of a relay; null: nothing."""

    registry: RegistryAnswer | None
    probed: ProbedAnswer | None
    information: RelayInformation | None = Field(
        description="What could be understood of the information document (NIP-11) that it gives now"
    )


async def _respond(asked: Asked[OneRelay]) -> RelayAnswer:
    async def work(connection: Connection) -> KnownRelay | None:
        return await find_relay(connection, asked.question.url)

    known = await asked.context.reader.read(asked.client, work)
    if known is None:
        raise not_shown()
    return RelayAnswer(
        **summary_values(known.summary),
        registry=None if known.registry is None else _registry(known.registry),
        probed=None if known.health is None else _probed(known.health),
        information=known.information,
    )


def _registry(found: RelayState) -> RegistryAnswer:
    return RegistryAnswer(
        admitted_at=seconds(found.admitted_at_ms),
        sources=found.sources,
        authors=found.authors,
        places=found.places,
        history=[StateChangeAnswer(state=each.state, since=each.at_ms // 1000) for each in found.history],
    )


def _probed(found: RelayHealthState) -> ProbedAnswer:
    return ProbedAnswer(
        failures=found.failures,
        full_at=seconds(found.full_at_ms),
        online_at=seconds(found.online_at_ms),
        checks=ChecksAnswer.of(found.checks),
        observed=ObservedAnswer.of(found.observed),
        advertised=LimitsAnswer.of(found.advertised),
        learnt=LimitsAnswer.of(found.learnt),
        honesty=HonestyAnswer.of(found.honesty),
        monitors=[ClaimAnswer(monitor=each.monitor, at=each.at_s, open_ms=each.rtt_open_ms) for each in found.claims],
    )


ENDPOINTS = (
    Endpoint(
        path="/v1/relays/{url:path}",
        summary="One relay: registry, health, checks, limits and information document",
        tag="relays",
        question=OneRelay,
        answer=RelayAnswer,
        respond=_respond,
    ),
)
