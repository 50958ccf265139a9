"""Probes of a relay as they were made, a page at a time."""

from __future__ import annotations

from typing import Any, NamedTuple

import asyncpg

from core.archive.connection import Connection
from schemas.records.probe import Cause, Checks, Observed, Verdict

_PROBES = """
SELECT probed_at_ms, is_full, attempts, verdict, cause, open_ms, read_ms, document, monitor,
    checks::text AS checks, observed::text AS observed
FROM probes WHERE url = $1 AND probed_at_ms < $2::bigint AND probed_at_ms >= $3::bigint
ORDER BY probed_at_ms DESC LIMIT $4::bigint
"""


class ProbeSeen(NamedTuple):
    """A probe (`schemas.records.probe`), without what it says in words.

    Attributes:
        document: SHA-256 of the information document that it got.
        monitor: public key of the prober.
    """

    probed_at_ms: int
    is_full: bool
    attempts: int
    verdict: Verdict
    cause: Cause | None
    open_ms: int | None
    read_ms: int | None
    document: str | None
    monitor: str | None
    checks: Checks
    observed: Observed


async def read_probes(
    connection: Connection, url: str, *, limit: int, below_ms: int, since_ms: int
) -> tuple[list[ProbeSeen], int | None]:
    """Read a page of a relay's probes, newest first, and the time to read on below, if there is.

    Args:
        connection: to the archive.
        url: normalised.
        limit: of the page.
        below_ms: only probes before this time, Unix milliseconds.
        since_ms: only probes from this time on.
    """
    rows = await connection.fetch(_PROBES, url, below_ms, since_ms, limit + 1)
    found = [_probe(row) for row in rows[:limit]]
    return found, found[-1].probed_at_ms if len(rows) > limit else None


def _probe(row: asyncpg.Record) -> ProbeSeen:
    values: dict[str, Any] = dict(row)
    values["checks"] = Checks.model_validate_json(row["checks"])
    values["observed"] = Observed.model_validate_json(row["observed"])
    return ProbeSeen(**values)
