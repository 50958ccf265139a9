"""`/v1/relays/{url}/history`: outages, days and latencies of a relay."""

from __future__ import annotations

from pydantic import Field

from api.rest.endpoint import Answer, Asked, Endpoint
from api.rest.endpoints.asking import seconds
from api.rest.endpoints.relays.parts import OneRelay, read_shown
from api.rest.question_types import Whole
from core.archive.connection import Connection
from core.archive.queries.relays.history import DaySeen, OutageSeen, Period, RelayHistory, read_history
from schemas.records.probe import Cause, Verdict


class HistoryOf(OneRelay):
    """Which relay, and how many days."""

    days: Whole = Field(90, ge=1, le=400, description="UTC days that are listed, at most; 400 are kept")


class LatencyAnswer(Answer):
    """What half, nine of ten, and 99 of a hundred probes did not exceed, milliseconds, wrong by 19 % at most."""

    p50: float | None
    p90: float | None
    p99: float | None


class PeriodAnswer(Answer):
    """What was seen in the last days."""

    days: int = Field(description="1: the last 24 hours, of latencies today and yesterday; else UTC days")
    uptime: float | None = Field(description="up_s / (up_s + down_s); null: nothing is known")
    up_s: int = Field(description="Seconds for which a probe stands that found it online")
    down_s: int = Field(description="Seconds for which it was offline")
    probes: int
    failures: int = Field(description="Probes that did not find it online")
    open_ms: LatencyAnswer = Field(description="Opening the websocket")
    read_ms: LatencyAnswer = Field(description="Answering a question")


class OutageAnswer(Answer):
    """A time in which the relay was offline, by two attempts at least."""

    since: int = Field(description="The first probe that failed, Unix seconds")
    until: int | None = Field(description="The probe that found it again, Unix seconds; null: it lasts")
    verdict: Verdict
    cause: Cause | None
    probes: int = Field(description="That failed")


class DayAnswer(Answer):
    """What was seen in one UTC day."""

    day: str = Field(description="Such as 2026-11-30")
    up_s: int
    down_s: int
    probes: int
    failures: int


class HistoryAnswer(Answer):
    """What was seen of a relay over time."""

    periods: list[PeriodAnswer] = Field(description="The last 1, 7, 30 and 90 days; empty: it was never probed")
    outages: list[OutageAnswer] = Field(description="Newest first, at most 50")
    days: list[DayAnswer] = Field(description="Newest first")


async def _respond(asked: Asked[HistoryOf]) -> HistoryAnswer:
    question = asked.question

    async def work(connection: Connection) -> RelayHistory:
        return await read_history(connection, question.url.url, days=question.days)

    found = await read_shown(asked, question.url, work)
    return HistoryAnswer(
        periods=[_period(each) for each in found.periods],
        outages=[_outage(each) for each in found.outages],
        days=[_day(each) for each in found.days],
    )


def _period(found: Period) -> PeriodAnswer:
    return PeriodAnswer(
        days=found.days,
        uptime=found.uptime,
        up_s=found.up_s,
        down_s=found.down_s,
        probes=found.probes,
        failures=found.failures,
        open_ms=LatencyAnswer(p50=found.open_p50_ms, p90=found.open_p90_ms, p99=found.open_p99_ms),
        read_ms=LatencyAnswer(p50=found.read_p50_ms, p90=found.read_p90_ms, p99=found.read_p99_ms),
    )


def _outage(found: OutageSeen) -> OutageAnswer:
    return OutageAnswer(
        since=found.since_ms // 1000,
        until=seconds(found.until_ms),
        verdict=found.verdict,
        cause=found.cause,
        probes=found.probes,
    )


def _day(found: DaySeen) -> DayAnswer:
    return DayAnswer(**{**found._asdict(), "day": found.day.isoformat()})


ENDPOINTS = (
    Endpoint(
        path="/v1/relays/{url:path}/history",
        summary="Outages, days and latencies of a relay",
        tag="relays",
        question=HistoryOf,
        answer=HistoryAnswer,
        respond=_respond,
    ),
)
