"""The table `probes`: one row for each record of `raw.probes`, for as long as the topic keeps it.

A probe is what happened, so that a row never changes. Old rows go as new ones come, a few more than those: by the
clock of the database, for one prober whose clock is ahead must not make all others' probes old. A table that gets no
probes keeps those that it has.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from core.archive.connection import Connection
from schemas.records.probe import Check, Checks, ProbeRecord
from schemas.topics import topic
from sinks.tables.digest_table import DigestTable, all_values
from sinks.tables.topic_table import Decoded, Record, RelayNumbers, TopicTable, affected
from sinks.tables.topic_tables.bounded import EXACT_MAX, count, jsonb, text
from sinks.tables.topic_tables.relay_key import relay_record

KEPT_MS = topic("raw.probes").retention_ms
"""Older probes a rebuild could not bring back."""
_LONGEST_WORDS = 1000
"""Characters of what has no bound in the schema; a public key and names of a list are shorter."""
_SPARE = 100
"""Old rows that are deleted beside those that make room for new ones, so that what was left behind goes, too."""

_COLUMNS = """url, probed_at_ms, is_full, attempts, verdict, cause, detail, open_ms, read_ms, document,
    checks, observed, monitor"""
_OLD = "(extract(epoch FROM now()) * 1000)::bigint - $2"
# In the order of the key, so that two instances wait for each other instead of deadlocking.
_ADD = f"""
INSERT INTO probes ({_COLUMNS})
SELECT {_COLUMNS} FROM jsonb_populate_recordset(NULL::probes, $1::jsonb)
WHERE probed_at_ms >= {_OLD} ORDER BY url, probed_at_ms
ON CONFLICT DO NOTHING
"""  # noqa: S608 - the names are ours
# Those that another instance deletes are left to it.
_DROP = f"""
DELETE FROM probes WHERE (url, probed_at_ms) IN (
    SELECT url, probed_at_ms FROM probes WHERE probed_at_ms < {_OLD} ORDER BY probed_at_ms
    LIMIT $1 FOR UPDATE SKIP LOCKED)
"""  # noqa: S608


def decode(key: bytes | None, value: bytes | None) -> ProbeRecord | None:
    """Read a record of `raw.probes`; None: a tombstone, which says nothing.

    Raises:
        ValueError: names what is wrong.
    """
    _, probe = relay_record(ProbeRecord, key, value)
    if probe is not None and probe.probed_at_ms >= EXACT_MAX:
        raise ValueError("probed_at_ms: must be below 2^53")
    return probe


async def write(connection: Connection, probes: Sequence[ProbeRecord], _relays: RelayNumbers) -> int:
    """Insert probes that are not there and not old, inside a transaction; how many rows that changed."""
    rows = orjson.dumps([probe_row(probe) for probe in probes]).decode()
    added = affected(await connection.execute(_ADD, rows, KEPT_MS))
    return added + affected(await connection.execute(_DROP, 2 * len(probes) + _SPARE, KEPT_MS))


def probe_row(probe: ProbeRecord) -> dict[str, object]:
    """The row as members of JSON: within PostgreSQL's types, bounded, without U+0000."""
    checks = probe.checks
    return {
        "url": probe.url,
        "probed_at_ms": probe.probed_at_ms,
        "is_full": probe.is_full,
        "attempts": probe.attempts,
        "verdict": probe.verdict,
        "cause": probe.cause,
        "detail": None if probe.detail is None else text(probe.detail, _LONGEST_WORDS),
        "open_ms": _took_ms(checks.open),
        "read_ms": _took_ms(checks.read),
        "document": None if checks.nip11 is None else checks.nip11.document,
        "checks": jsonb(checks.model_dump(mode="json", exclude_none=True)),
        "observed": jsonb(probe.observed.model_dump(mode="json", exclude_none=True)),
        "monitor": None if probe.by is None else text(probe.by, _LONGEST_WORDS),
    }


def smallest(probe: ProbeRecord) -> ProbeRecord:
    """That the same probe found nothing out."""
    return ProbeRecord(
        url=probe.url,
        network=probe.network,
        is_full=False,
        verdict=probe.verdict,
        checks=Checks(),
        probed_at_ms=probe.probed_at_ms,
    )


def _took_ms(check: Check | None) -> int | None:
    return None if check is None or not check.ok or check.took_ms is None else count(check.took_ms)


def _decode(record: Record) -> Decoded[ProbeRecord] | None:
    probe = decode(record.key, record.value)
    return None if probe is None else Decoded(probe)


PROBES = TopicTable(
    topic="raw.probes",
    name="probes",
    holds="a probe of a relay: its verdict and the outcome of each check; for 28 days",
    decode=_decode,
    write=write,
    smallest=smallest,
    digests=(
        DigestTable(
            "probes",
            "SELECT url, probed_at_ms, is_full, attempts, verdict, cause, open_ms, read_ms, document FROM probes",
            all_values,
            is_state=True,
        ),
    ),
)
