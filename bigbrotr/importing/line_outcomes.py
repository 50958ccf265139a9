"""The outcome of every line of an import, in a temporary database on disk: memory does not grow with the file.

A line is known by where it stands in `raw.bundles` and by its bytes: a rejection that the processor wrote twice, after
a restart, counts once.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from typing import NamedTuple

_DIGEST_BYTES = 16  # collisions within one bundle of at most some hundred lines are out of the question
_BATCH_IDS = 5_000  # as many as PostgreSQL answers in some 10 ms

_TABLES = """
CREATE TABLE lines (
    partition INTEGER NOT NULL, "offset" INTEGER NOT NULL, digest BLOB NOT NULL,
    id BLOB NOT NULL, copies INTEGER NOT NULL, settled INTEGER NOT NULL DEFAULT 0,
    verdict TEXT, reason TEXT,
    PRIMARY KEY (partition, "offset", digest)
) WITHOUT ROWID;
"""
_ADD = """
INSERT INTO lines (partition, "offset", digest, id, copies) VALUES (?, ?, ?, ?, 1)
ON CONFLICT DO UPDATE SET copies = copies + 1
"""
_SETTLE = """
UPDATE lines SET settled = min(copies, settled + 1), verdict = ?, reason = ?
WHERE partition = ? AND "offset" = ? AND digest = ?
"""
_SETTLE_ALL = """
UPDATE lines SET settled = copies, verdict = ?, reason = ?
WHERE partition = ? AND "offset" = ? AND digest = ? AND settled < copies
"""
_SETTLE_ID = "UPDATE lines SET settled = copies, verdict = ?, reason = ? WHERE id = ? AND settled < copies"
_SETTLED = """
SELECT verdict, reason, sum(settled) FROM lines WHERE settled > 0 GROUP BY verdict, reason ORDER BY verdict, reason
"""
_OPEN = """
SELECT id, sum(copies - settled) FROM lines WHERE copies > settled GROUP BY id
"""


class Settled(NamedTuple):
    """Lines that were not accepted: the verdict, the reason and how many."""

    verdict: str
    reason: str
    lines: int


class LineOutcomes:
    """Lines of one import, and what is known of each."""

    def __init__(self) -> None:
        # An empty name is a temporary database of SQLite's: on disk once it outgrows the cache, gone when closed.
        self._database = sqlite3.connect("")
        self._database.executescript(_TABLES)
        self._database.execute("CREATE INDEX lines_id ON lines (id)")

    def close(self) -> None:
        """Delete all entries."""
        self._database.close()

    def add(self, partition: int, offset: int, lines: Iterable[tuple[bytes, str]]) -> None:
        """Take the lines of one bundle: the bytes of each event, and its id as 64 hex digits."""
        rows = [(partition, offset, _digest(raw), bytes.fromhex(event_id)) for raw, event_id in lines]
        self._database.executemany(_ADD, rows)

    def settle(self, partition: int, offset: int, raw: bytes, verdict: str, reason: str) -> None:
        """Note that one line of a bundle was not accepted; lines of others are none of ours."""
        self._database.execute(_SETTLE, (verdict, reason, partition, offset, _digest(raw)))

    def settle_all(self, partition: int, offset: int, raw: bytes, verdict: str, reason: str) -> None:
        """As `settle`, for all equal lines of the bundle: of what is quarantined one copy is kept."""
        self._database.execute(_SETTLE_ALL, (verdict, reason, partition, offset, _digest(raw)))

    def settle_id(self, event_id: bytes, verdict: str, reason: str) -> None:
        """Note that an event was refused after it had been accepted, every copy of it."""
        self._database.execute(_SETTLE_ID, (verdict, reason, event_id))

    def settled(self) -> list[Settled]:
        """Count the lines that were not accepted."""
        return [Settled(*row) for row in self._database.execute(_SETTLED)]

    def accepted(self) -> Iterator[dict[str, int]]:
        """Give the ids of all other lines with the number of their copies, some thousands at a time."""
        rows = self._database.execute(_OPEN)
        while batch := rows.fetchmany(_BATCH_IDS):
            yield {event_id.hex(): copies for event_id, copies in batch}


def _digest(raw: bytes) -> bytes:
    return blake2b(raw, digest_size=_DIGEST_BYTES).digest()
