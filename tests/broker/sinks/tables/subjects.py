"""A table that the archive does not have: the subject of an event (NIP-14), in one module with its migration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from core.archive.rows import EventRow
from schemas.nostr.event import Event
from sinks.migrate import Migration, migrations
from sinks.tables import TABLES
from sinks.tables.event_key import EVENT_KEY
from sinks.tables.projection import Projection, Row, Source


def derive(row: EventRow, event: Event) -> Iterator[Row]:
    """Give the value of the first subject tag."""
    for tag in event.tags:
        if len(tag) > 1 and tag[0] == "subject":
            yield row.created_at, row.id, tag[1].replace("\0", "")
            return


SUBJECTS = Projection(
    name="subjects",
    holds="the subject of an event",
    columns=("created_at", "id", "subject"),
    of_event=EVENT_KEY,
    dated_by="created_at",
    source=Source(tag="subject"),
    derive=derive,
)
MIGRATION = """
CREATE TABLE subjects (
    created_at bigint NOT NULL,
    id bytea NOT NULL,
    subject text NOT NULL,
    PRIMARY KEY (created_at, id)
);
DELETE FROM unread_requests;
INSERT INTO unread_requests SELECT -1, '' WHERE EXISTS (SELECT FROM events);
"""

WITH_SUBJECTS = replace(TABLES, projections=(*TABLES.projections, SUBJECTS))
MIGRATIONS = [*migrations(), Migration(9999, "9999_subjects.sql", MIGRATION)]
