"""The one list of tables, and what follows from it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from core.settings import Settings
from schemas.topics import TOPICS
from sinks.tables import TABLES, contents
from sinks.tables.event_key import EVENT_KEY, REQUEST_ID, same_event
from sinks.tables.projection import Projection, Source, picked_in_sql
from sinks.tables.reference import reference

DOCS = Path(__file__).parents[3] / "docs"


def test_the_reference_is_in_the_docs() -> None:
    assert reference() in (DOCS / "reference/tables.md").read_text(encoding="utf-8")


def test_every_table_has_a_name_of_its_own_and_every_topic_is_one_of_ours(tmp_path: Path) -> None:
    names = [table.name for table in TABLES.topics] + [projection.name for projection in TABLES.every_projection]
    assert len(set(names)) == len(names)
    assert {table.topic for table in TABLES.topics} <= {topic.name for topic in TOPICS}
    settings = Settings(data_dir=tmp_path, kafka={"topic_prefix": "x."})
    more = ["x.raw.probes", "x.relays.documents", "x.relays.health"]
    assert list(contents(settings)) == ["x.events", "x.sightings", "x.coverage", "x.relays", *more]


@pytest.mark.parametrize("projection", TABLES.every_projection, ids=lambda each: each.name)
def test_a_row_names_its_event_and_has_a_time(projection: Projection) -> None:
    assert {*projection.of_event, projection.dated_by} <= set(projection.columns)
    assert projection.insert.count("$") == len(projection.columns)


def test_a_row_is_found_by_the_key_of_its_event_or_by_its_id() -> None:
    assert same_event(EVENT_KEY) == "stored.id = event.id AND stored.created_at = event.created_at"
    assert same_event(REQUEST_ID) == "stored.request_id = event.id"


def test_events_kept_as_bytes_are_looked_into_whatever_the_sources_are() -> None:
    assert picked_in_sql([]) == "raw IS NOT NULL"
    (first, *_) = TABLES.projections
    assert first.source == Source(kinds=frozenset({5}))
    assert picked_in_sql([first, first]) == "raw IS NOT NULL OR kind = 5"
    thousands = replace(first, source=Source(kinds=frozenset({0}), kind_ranges=(range(30_000, 40_000),)))
    assert picked_in_sql([thousands]) == "raw IS NOT NULL OR kind = 0 OR kind BETWEEN 30000 AND 39999"
