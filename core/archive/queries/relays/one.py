"""One relay for the public: what the registry, its health and its information document say."""

from __future__ import annotations

from typing import NamedTuple

import orjson
from pydantic import TypeAdapter

from core.archive.connection import Connection
from core.archive.queries.relays.listing import PUBLIC, SUMMARY, RelaySummary, summary
from schemas.nostr.relay_document import RelayInformation
from schemas.records.probe import Checks, Observed
from schemas.records.relay import Source, StateChange
from schemas.records.relay_health import Claim, Honesty, Limits
from schemas.relay_urls.public_relay import is_public_relay
from schemas.relay_urls.relay_url import RelayUrl

# One row where anything is known; what is null is not.
_ONE = f"""
SELECT {SUMMARY}, {PUBLIC} AS is_public,
    registry.admitted_at_ms, registry.sources, registry.authors, registry.places, registry.history::text AS history,
    health.failures, health.full_at_ms, health.online_at_ms, health.checks::text AS checks,
    health.observed::text AS observed, health.advertised::text AS advertised, health.learnt::text AS learnt,
    health.honesty::text AS honesty, health.claims::text AS claims, document.members::text AS members
FROM (SELECT $1::text AS url) AS wanted
LEFT JOIN registry ON registry.url = wanted.url
LEFT JOIN relay_health AS health ON health.url = wanted.url
LEFT JOIN relay_documents AS document ON document.hash = health.document
WHERE registry.url IS NOT NULL OR health.url IS NOT NULL OR EXISTS (SELECT FROM relays WHERE relays.url = wanted.url)
"""  # noqa: S608 - the names are ours
_IS_SHOWN = f"""
SELECT coalesce((SELECT {PUBLIC} FROM registry WHERE url = $1), true), checks #>> '{{open,address}}'
FROM (SELECT $1::text AS url) AS wanted LEFT JOIN relay_health AS health USING (url)
WHERE health.url IS NOT NULL OR EXISTS (SELECT FROM registry WHERE registry.url = wanted.url)
    OR EXISTS (SELECT FROM relays WHERE relays.url = wanted.url)
"""  # noqa: S608
_HISTORY = TypeAdapter(list[StateChange])
_CLAIMS = TypeAdapter(list[Claim])
_INFORMATION = TypeAdapter(RelayInformation)


class RelayState(NamedTuple):
    """What the registry says of a relay beside its summary.

    Attributes:
        authors: how many authors of events have named it; 8: or more.
        places: where events or lists have named it.
        history: when states began, newest last.
    """

    admitted_at_ms: int | None
    sources: list[Source]
    authors: int
    places: list[str]
    history: list[StateChange]


class RelayHealthState(NamedTuple):
    """The health of a relay beside its summary, as `schemas.records.relay_health` has it."""

    failures: int
    full_at_ms: int | None
    online_at_ms: int | None
    checks: Checks
    observed: Observed
    advertised: Limits
    learnt: Limits
    honesty: Honesty
    claims: list[Claim]


class KnownRelay(NamedTuple):
    """A relay and what is known of it.

    Attributes:
        registry: None: the registry has no record of it.
        health: None: it was never probed.
        information: what could be understood of the document (NIP-11) that it gives now; None: it gives none.
    """

    summary: RelaySummary
    registry: RelayState | None
    health: RelayHealthState | None
    information: RelayInformation | None


async def is_shown(connection: Connection, url: RelayUrl) -> bool:
    """Whether a relay is known, and the public may know of it."""
    row = await connection.fetchrow(_IS_SHOWN, url.url)
    return row is not None and row[0] and is_public_relay(url.url, row[1])


async def find_relay(connection: Connection, url: RelayUrl) -> KnownRelay | None:
    """Read what is known of a relay; None: nothing, or it is not shown."""
    row = await connection.fetchrow(_ONE, url.url)
    if row is None or row["is_public"] is False or not is_public_relay(url.url, row["address"]):
        return None
    found = summary({**row, "url": url.url, "network": url.network.value})
    registry = health = information = None
    if row["state"] is not None:
        history = _HISTORY.validate_json(row["history"])
        registry = RelayState(row["admitted_at_ms"], row["sources"], row["authors"], row["places"], history)
    if row["health"] is not None:
        health = RelayHealthState(
            row["failures"],
            row["full_at_ms"],
            row["online_at_ms"],
            Checks.model_validate_json(row["checks"]),
            Observed.model_validate_json(row["observed"]),
            Limits.model_validate_json(row["advertised"]),
            Limits.model_validate_json(row["learnt"]),
            Honesty.model_validate_json(row["honesty"]),
            _CLAIMS.validate_json(row["claims"]),
        )
    if row["members"] is not None:
        information = _INFORMATION.validate_python(orjson.loads(row["members"]))
    return KnownRelay(found, registry, health, information)
