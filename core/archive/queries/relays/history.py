"""What was seen of a relay over time: outages, days, and how long it took to answer."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from core.archive.connection import Connection
from schemas.records.probe import Cause, Verdict

_OUTAGES = """
SELECT since_ms, until_ms, verdict, cause, probes FROM relay_outages WHERE url = $1 ORDER BY since_ms DESC
"""
_DAYS = """
SELECT day, up_s, down_s, probes, failures FROM relay_days WHERE url = $1 ORDER BY day DESC LIMIT $2::bigint
"""
_PERIODS = """
SELECT days, uptime, up_s, down_s, probes, failures,
    open_p50_ms, open_p90_ms, open_p99_ms, read_p50_ms, read_p90_ms, read_p99_ms
FROM (SELECT * FROM relay_uptime WHERE url = $1) AS uptime
LEFT JOIN (SELECT * FROM relay_latency WHERE url = $1) AS latency USING (days) ORDER BY days
"""


class OutageSeen(NamedTuple):
    """A time in which a relay was offline, Unix milliseconds; `until_ms` None: it lasts."""

    since_ms: int
    until_ms: int | None
    verdict: Verdict
    cause: Cause | None
    probes: int


class DaySeen(NamedTuple):
    """What was seen in one UTC day. Seconds that no probe stands for are in neither."""

    day: date
    up_s: int
    down_s: int
    probes: int
    failures: int


class Period(NamedTuple):
    """What was seen in the last days, as the views `relay_uptime` and `relay_latency` have it."""

    days: int
    uptime: float | None
    up_s: int
    down_s: int
    probes: int
    failures: int
    open_p50_ms: float | None
    open_p90_ms: float | None
    open_p99_ms: float | None
    read_p50_ms: float | None
    read_p90_ms: float | None
    read_p99_ms: float | None


class RelayHistory(NamedTuple):
    """Periods by their length; outages and days, newest first."""

    periods: list[Period]
    outages: list[OutageSeen]
    days: list[DaySeen]


async def read_history(connection: Connection, url: str, *, days: int) -> RelayHistory:
    """Read the history of a relay (normalised URL), with so many days at most."""
    return RelayHistory(
        [Period(*row) for row in await connection.fetch(_PERIODS, url)],
        [OutageSeen(*row) for row in await connection.fetch(_OUTAGES, url)],
        [DaySeen(*row) for row in await connection.fetch(_DAYS, url, days)],
    )
