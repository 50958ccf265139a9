"""Generates the tables of all topics for docs/reference/topics.md, in Markdown, from `schemas.topics`."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from schemas.topic_row import Reader, Topic
from schemas.topics import DAY_MS, MIB, TOPICS

_SHARES = {"share": "", "all": " (all of it)", "on demand": " (on demand)"}


def overview() -> str:
    """Write what one record of each topic is, for the overview."""
    rows = ["| topic (with the prefix `nostr.`) | what one record is |", "|---|---|"]
    rows += [f"| `{row.name}` | {row.description} |" for row in TOPICS]
    return "\n".join(rows) + "\n"


def topics_table() -> str:
    """Write everything that a consumer must know of each topic."""
    rows = ["| topic | key | value | partition by | partitions | kept | written by | read by |", "|" + "---|" * 8]
    for row in TOPICS:
        cells = (
            f"`{row.name}`",
            row.key,
            f"{row.codec.form} (`{row.codec.module}`)",
            row.partitioned_by,
            "`kafka.partitions`" if row.partitions is None else str(row.partitions),
            _kept(row),
            ", ".join(row.writers),
            _readers(row.readers),
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def _readers(readers: Iterable[Reader]) -> str:
    return ", ".join(reader.program + _SHARES[reader.share] for reader in readers)


def _kept(row: Topic) -> str:
    if row.compacted:
        return "the newest of each key"
    limits = []
    if row.retention_ms >= 0:
        limits.append(f"{row.retention_ms // DAY_MS} days")
    if row.retention_bytes >= 0:
        limits.append(f"{row.retention_bytes // MIB} MiB a partition")
    return ", at most ".join(limits) or "all"


if __name__ == "__main__":
    sys.stdout.write(overview() + "\n" + topics_table())
