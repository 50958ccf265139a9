"""Relays of the registry with their health, a page at a time, in several orders."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

import orjson

from core.archive.connection import Connection
from core.archive.event_query import Parameters
from core.archive.queries.relays.shown import shown_page
from schemas.records.probe import Cause, Verdict
from schemas.records.relay import Lane, State
from schemas.records.relay_health import HealthState
from schemas.relay_urls.public_relay import is_public_relay
from schemas.relay_urls.relay_url import Network

PUBLIC = "registry.allowed AND NOT registry.allow_private"
"""What a row of the registry must fulfil to be shown; the URL itself is looked at by `is_public_relay`."""
SUMMARY = """registry.url, registry.network, registry.state, registry.lane, registry.first_seen_ms,
    CASE WHEN coalesce((SELECT other.allowed AND NOT other.allow_private FROM registry AS other
        WHERE other.url = registry.duplicate_of), true) THEN registry.duplicate_of END AS duplicate_of,
    health.state AS health, health.since_ms, health.verdict, health.cause, health.probed_at_ms,
    downtime_ppm(health.hours) AS downtime_ppm, opened_ms(health.checks) AS open_ms,
    health.checks #>> '{open,address}' AS address, health.checks #>> '{geo,country}' AS country,
    document.members ->> 'name' AS name, document.members ->> 'software' AS software,
    document.members ->> 'version' AS version, document.members -> 'supported_nips' AS nips,
    document.members -> 'named_nips' AS named_nips"""
_PPM = 1_000_000


class RelaySort(StrEnum):
    """The order of a list. All but `url` leave out relays of which their value is not known."""

    URL = "url"
    UPTIME = "uptime"
    """The highest first."""
    LATENCY = "latency"
    """The lowest first."""
    SINCE = "since"
    """Whose health changed last first."""
    FIRST_SEEN = "first_seen"
    """Who was named last first."""


_VALUES = {
    RelaySort.UPTIME: "downtime_ppm(health.hours)",
    RelaySort.LATENCY: "opened_ms(health.checks)",
    RelaySort.SINCE: "(-health.since_ms)",
    RelaySort.FIRST_SEEN: "(-registry.first_seen_ms)",
}
"""What an ascending order goes by; migration 0015 has an index for each of health."""


class RelayKey(NamedTuple):
    """The place of a relay in an order: the value that it goes by, 0 where that is the URL; then the URL."""

    value: int
    url: str


@dataclass(frozen=True, slots=True)
class RelayChoice:
    """Which relays; None and empty: any.

    Attributes:
        nips: all of which the information document names, by number or, newer ones, two upper-case hex digits.
        software: a part of what the document names, in any case.
        country: where the address is, else where the document says it is; upper case.
    """

    network: Network | None = None
    state: State | None = None
    health: HealthState | None = None
    nips: tuple[str, ...] = ()
    software: str | None = None
    country: str | None = None


class RelaySummary(NamedTuple):
    """What is known of a relay in short. What is None is not known.

    Attributes:
        state: in the registry, as `lane`; None: it has no record of the relay.
        uptime: share of the known seconds of the last hours that the newest probes tell, 0 to 1.
        open_ms: how long the newest probe took to open it.
        name: by its information document, as `software`, `version`, `nips` and `named_nips`.
    """

    url: str
    network: Network
    state: State | None
    lane: Lane | None
    duplicate_of: str | None
    first_seen_ms: int | None
    health: HealthState | None
    since_ms: int | None
    verdict: Verdict | None
    cause: Cause | None
    probed_at_ms: int | None
    uptime: float | None
    open_ms: int | None
    country: str | None
    name: str | None
    software: str | None
    version: str | None
    nips: list[int]
    named_nips: list[str]


async def list_relays(
    connection: Connection, choice: RelayChoice, sort: RelaySort, *, limit: int, above: RelayKey | None = None
) -> tuple[list[RelaySummary], RelayKey | None]:
    """Read a page of public relays, and the key to read on above, if there is.

    Neither the page nor the key tells of relays whose URL or address is a private one.

    Args:
        connection: to the archive.
        choice: which relays.
        sort: in which order.
        limit: of the page.
        above: the key that the page before gave.
    """

    async def read(above: RelayKey | None, count: int) -> list[dict[str, Any]]:
        return await _rows(connection, choice, sort, count, above)

    def is_shown(row: dict[str, Any]) -> bool:
        return is_public_relay(row["url"], row["address"])

    page, following = await shown_page(read, is_shown, _key, limit=limit, above=above)
    return [summary(row) for row in page], following


def _key(row: dict[str, Any]) -> RelayKey:
    return RelayKey(row["place"], row["url"])


async def _rows(
    connection: Connection, choice: RelayChoice, sort: RelaySort, count: int, above: RelayKey | None
) -> list[dict[str, Any]]:
    parameters = Parameters()
    value = _VALUES.get(sort)
    key = "registry.url" if value is None else f"{value}, {'registry' if 'registry' in value else 'health'}.url"
    parts = [PUBLIC, *_conditions(choice, parameters)]
    if value is not None:
        parts.append(f"{value} IS NOT NULL")
    same = "health.url = registry.url"
    if above is not None and value is None:
        url = parameters.add(above.url, "text")
        parts.append(f"registry.url > {url}")
        # It follows, but PostgreSQL does not know, and would merge from the first relay on.
        same += f" AND health.url > {url}"
    elif above is not None:
        parts.append(f"({key}) > ({parameters.add(above.value, 'bigint')}, {parameters.add(above.url, 'text')})")
    # Inner, so that an index on health can give the order.
    join = "JOIN" if value is not None and "health" in value else "LEFT JOIN"
    rows = await connection.fetch(
        f"SELECT {SUMMARY}, {value or '0'} AS place FROM registry "  # noqa: S608 - of our own parts and $n alone
        f"{join} relay_health AS health ON {same} "
        "LEFT JOIN relay_documents AS document ON document.hash = health.document "
        f"WHERE {' AND '.join(parts)} ORDER BY {key} LIMIT {parameters.add(count, 'bigint')}",
        *parameters.values,
    )
    return [dict(row) for row in rows]


def summary(values: dict[str, Any]) -> RelaySummary:
    """What a row of `SUMMARY` says."""
    downtime_ppm = values["downtime_ppm"]
    duplicate_of = values["duplicate_of"]
    values |= {
        "network": Network(values["network"]),
        "uptime": None if downtime_ppm is None else 1 - downtime_ppm / _PPM,
        "duplicate_of": duplicate_of if duplicate_of is not None and is_public_relay(duplicate_of) else None,
        "nips": orjson.loads(values["nips"] or "[]"),
        "named_nips": orjson.loads(values["named_nips"] or "[]"),
    }
    return RelaySummary(**{name: values[name] for name in RelaySummary._fields})


def _conditions(choice: RelayChoice, parameters: Parameters) -> list[str]:
    parts = []
    for column, value in (
        ("registry.network", choice.network),
        ("registry.state", choice.state),
        ("health.state", choice.health),
    ):
        if value is not None:
            parts.append(f"{column} = {parameters.add(str(value), 'text')}")
    said = []
    for nip in choice.nips:
        name = "supported_nips" if nip.isdigit() else "named_nips"
        wanted = parameters.add(orjson.dumps(int(nip) if nip.isdigit() else nip).decode(), "jsonb")
        said.append(f"members -> '{name}' @> {wanted}")
    if choice.software is not None:
        part = parameters.add(choice.software, "text")
        said.append(f"position(lower({part}) IN lower(members ->> 'software')) > 0")
    if said:
        parts.append(_with_document(" AND ".join(said)))
    if choice.country is not None:
        country = parameters.add(choice.country, "text")
        geo = "health.checks #>> '{geo,country}'"
        claimed = _with_document(f"members -> 'countries' ? {country}")
        parts.append(f"CASE WHEN {geo} IS NOT NULL THEN {geo} = {country} ELSE {claimed} END")
    return parts


def _with_document(where: str) -> str:
    """Of relays whose document is such a one: documents are read once, not again for each relay, as IS TRUE tells."""
    return f"(health.document IN (SELECT hash FROM relay_documents WHERE {where})) IS TRUE"  # noqa: S608
