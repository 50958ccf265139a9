"""What topics and tables take on disk, and how fast they grow."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from core.settings.model import Settings
from tests.pipeline.world import connect

_MINUTE_S = 60.0
_TABLES = """
SELECT coalesce(parent.relname, class.relname) AS name, sum(pg_total_relation_size(class.oid))::bigint AS bytes
FROM pg_class AS class
JOIN pg_namespace AS namespace ON namespace.oid = class.relnamespace AND namespace.nspname = current_schema()
LEFT JOIN pg_inherits ON inhrelid = class.oid
LEFT JOIN pg_class AS parent ON parent.oid = inhparent
WHERE class.relkind = 'r'
GROUP BY 1
"""

Sizes = dict[str, int]


def topics_bytes(kafka: Path, settings: Settings) -> Sizes:
    """Bytes of each topic's segments in the folder of the embedded Kafka; indexes are allocated ahead, and left out."""
    prefix, found = settings.kafka.topic_prefix, Counter[str]()
    for segment in kafka.glob(f"**/{prefix}*/*.log"):
        try:
            found[segment.parent.name.removeprefix(prefix).rpartition("-")[0]] += segment.stat().st_size
        except FileNotFoundError:  # deleted by its age
            continue
    return dict(found)


async def tables_bytes(settings: Settings) -> Sizes:
    """Bytes of each table with its partitions, indexes and large values."""
    connection = await connect(settings)
    try:
        return {row["name"]: row["bytes"] for row in await connection.fetch(_TABLES)}
    finally:
        await connection.close()


def per_minute(before: Sizes, after: Sizes, seconds: float) -> Sizes:
    """Bytes a minute of everything that has grown."""
    grown = {name: size - before.get(name, 0) for name, size in after.items()}
    return {name: round(more / seconds * _MINUTE_S) for name, more in sorted(grown.items()) if more > 0}
