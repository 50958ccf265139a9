"""The tables of the archive, a module for each, and the one list of them.

A new table is a module in `topic_tables` or `projections`, a migration and a line in `TABLES`. What the sink reads and
in which order it writes, what an erasure deletes, what digest and audit cover, what a rebuild brings back and what
`migrate` searches older events for follow from the list. Roles need none: they are granted what is in the schema.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from core.settings import Settings
from schemas.topics import physical
from sinks.tables.digest_table import DigestTable
from sinks.tables.erasures import RULES
from sinks.tables.month_counts import MONTH_COUNTS
from sinks.tables.projection import Projection
from sinks.tables.projections.address_versions import ADDRESS_VERSIONS
from sinks.tables.projections.deletions_by_address import DELETIONS_BY_ADDRESS
from sinks.tables.projections.deletions_by_id import DELETIONS_BY_ID
from sinks.tables.projections.expirations import EXPIRATIONS
from sinks.tables.projections.nul_tags import NUL_TAGS
from sinks.tables.projections.vanish_requests import VANISH_REQUESTS
from sinks.tables.topic_table import AnyTopicTable
from sinks.tables.topic_tables.coverage import COVERAGE
from sinks.tables.topic_tables.events import EVENTS
from sinks.tables.topic_tables.probes import PROBES
from sinks.tables.topic_tables.registry import REGISTRY
from sinks.tables.topic_tables.relay_documents import RELAY_DOCUMENTS
from sinks.tables.topic_tables.relay_health import RELAY_HEALTH
from sinks.tables.topic_tables.sightings import SIGHTINGS


@dataclass(frozen=True)
class Tables:
    """The tables that records become, in the order in which they are written, and those that follow from events.

    Attributes:
        topics: one of them is `EVENTS`.
        projections: written before the tables of topics, because rules of erasure look into them.
        by_triggers: projections that the database itself writes, as it takes the events.
        rules: of erasure, which are applied and not read by a batch.
    """

    topics: tuple[AnyTopicTable, ...]
    projections: tuple[Projection, ...]
    by_triggers: tuple[Projection, ...]
    rules: tuple[DigestTable, ...]

    @property
    def every_projection(self) -> tuple[Projection, ...]:
        """Those that the sink writes and those that triggers do."""
        return self.projections + self.by_triggers

    @property
    def archive(self) -> tuple[DigestTable, ...]:
        """What the digest of the archive covers: all that a rebuild must give back."""
        return tuple(table for table in self._digests() if not table.is_state)

    @property
    def state(self) -> tuple[DigestTable, ...]:
        """What has a digest of its own, because it changes without events."""
        return tuple(table for table in self._digests() if table.is_state)

    def of_events(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Every table with rows of single events, and the columns by which they are found."""
        for table in self.topics:
            if table.of_event is not None:
                yield table.name, table.of_event
        for projection in self.every_projection:
            yield projection.name, projection.of_event

    def _digests(self) -> Iterator[DigestTable]:
        for table in self.topics:
            yield from table.digests
        for projection in self.every_projection:
            yield projection.digest
        yield from self.rules
        yield MONTH_COUNTS


TABLES = Tables(
    topics=(EVENTS, SIGHTINGS, COVERAGE, REGISTRY, PROBES, RELAY_DOCUMENTS, RELAY_HEALTH),
    projections=(DELETIONS_BY_ID, DELETIONS_BY_ADDRESS, VANISH_REQUESTS, EXPIRATIONS, NUL_TAGS),
    by_triggers=(ADDRESS_VERSIONS,),
    rules=RULES,
)


def contents(settings: Settings, tables: Tables = TABLES) -> dict[str, AnyTopicTable]:
    """What each topic (full name) that the sink reads becomes."""
    return {physical(settings.kafka.topic_prefix, table.topic): table for table in tables.topics}
