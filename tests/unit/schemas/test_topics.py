"""The topic table: complete, and with settings under which no promise can be broken by Kafka itself."""

from __future__ import annotations

from pathlib import Path
from pkgutil import resolve_name
from typing import get_args

import pytest

from schemas.examples.generate import build
from schemas.topic_row import Program, Topic
from schemas.topics import ENVELOPE_BYTES, MIB, RAW_LIMIT_BYTES, TOPICS, configs, logical, physical, topic
from schemas.topics_table import overview, topics_table

ROOT = Path(__file__).resolve().parents[3]

NAMES = {
    "raw.bundles",
    "events",
    "sightings",
    "erasures",
    "quarantine",
    "rejections",
    "unwritten",
    "relays.candidates",
    "relays.commands",
    "relays.found",
    "relays",
    "raw.probes",
    "relays.documents",
    "relays.health",
    "coverage",
}


def test_the_table_has_every_topic_of_the_design_once() -> None:
    assert [row.name for row in TOPICS] == list(dict.fromkeys(row.name for row in TOPICS))
    assert {row.name for row in TOPICS} == NAMES


def test_compacted_topics_have_a_key_one_writer_and_a_time_for_cleaning() -> None:
    assert {row.name for row in TOPICS if row.compacted} == {
        "events",
        "erasures",
        "relays",
        "relays.candidates",
        "relays.commands",
        "relays.documents",
        "relays.health",
        "coverage",
    }
    for row in TOPICS:
        settings = configs(row.name)
        if row.compacted:
            assert row.key != "none"
            # Of an erasure, equal keys mean equal rules, whichever program writes them; the key of a command has the
            # writer in it.
            assert len(row.writers) == 1 or row.name in {"erasures", "relays.commands"}
            assert settings["cleanup.policy"] == "compact"
            assert int(settings["max.compaction.lag.ms"]) >= int(settings["min.compaction.lag.ms"])
            # Kafka never compacts the active segment, so it must close in time.
            assert int(settings["segment.ms"]) <= int(settings["max.compaction.lag.ms"])
        else:
            assert "max.compaction.lag.ms" not in settings


@pytest.mark.parametrize(
    "name", ["raw.bundles", "events", "sightings", "quarantine", "erasures", "relays", "relays.commands", "coverage"]
)
def test_what_must_not_be_lost_has_no_limit_of_time_or_size(name: str) -> None:
    assert configs(name)["retention.ms"] == configs(name)["retention.bytes"] == "-1"


def test_what_strangers_fill_is_bounded() -> None:
    settings = configs("rejections")
    assert int(settings["retention.ms"]) > 0
    assert int(settings["retention.bytes"]) > int(settings["segment.bytes"]) > 0


def test_what_the_sink_sets_aside_is_kept_for_weeks_whatever_strangers_send() -> None:
    settings = configs("unwritten")
    assert topic("unwritten").writers == ("sink",)
    assert settings["retention.bytes"] == "-1"
    # A record is deleted with its segment, within the month that privacy laws allow.
    assert 21 < (int(settings["retention.ms"]) + int(settings["segment.ms"])) / 86_400_000 < 30


def test_sizes() -> None:
    assert RAW_LIMIT_BYTES == MIB
    assert configs("raw.bundles")["max.message.bytes"] == str(RAW_LIMIT_BYTES + ENVELOPE_BYTES)
    for name in ("events", "rejections", "quarantine", "unwritten"):
        assert configs(name)["max.message.bytes"] == str(4 * RAW_LIMIT_BYTES)


def test_records_are_dated_by_the_broker_so_that_no_clock_of_a_writer_has_them_refused_or_kept() -> None:
    assert {configs(row.name)["message.timestamp.type"] for row in TOPICS} == {"LogAppendTime"}


def test_durability_follows_the_replicas() -> None:
    assert [configs("events", replication_factor=n)["min.insync.replicas"] for n in (1, 2, 3)] == ["1", "1", "2"]
    assert configs("events")["unclean.leader.election.enable"] == "false"


def test_names() -> None:
    assert physical("nostr.", "events") == "nostr.events"
    assert topic("events").name == "events"
    assert [logical(prefix, f"{prefix}raw.bundles") for prefix in ("nostr.", "")] == ["raw.bundles", "raw.bundles"]
    for call in (topic, configs):
        with pytest.raises(KeyError, match=r"no topic 'event'.*events"):
            call("event")


def test_segments_of_bundles_close_within_a_day_so_that_deleting_frees_disk() -> None:
    settings = configs("raw.bundles")
    assert int(settings["segment.ms"]) <= 86_400_000
    assert int(settings["max.message.bytes"]) < int(settings["segment.bytes"]) < 2**30


@pytest.mark.parametrize("row", TOPICS, ids=[row.name for row in TOPICS])
def test_the_codec_of_a_topic_reads_its_example(row: Topic) -> None:
    example = build()[row.name]
    decode = resolve_name(row.codec.decoder)
    decoded = decode(example.headers) if "headers" in row.codec.form else decode(example.value)
    assert decoded
    assert str(row.codec) == f"{row.codec.form} ({row.codec.module})"


def test_every_topic_has_writers_and_readers_and_every_program_a_topic() -> None:
    assert all(row.writers and row.readers for row in TOPICS)
    named = {name for row in TOPICS for name in (*row.writers, *(reader.program for reader in row.readers))}
    assert named == set(get_args(Program))


def test_topics_with_the_same_rule_have_the_same_number_of_partitions() -> None:
    counts = {(row.partitioned_by, row.partition_count(16)) for row in TOPICS}
    assert len(counts) == len({row.partitioned_by for row in TOPICS})


@pytest.mark.parametrize(("name", "table"), [("overview", overview()), ("topics", topics_table())])
def test_the_page_shows_the_topics_as_they_are(name: str, table: str) -> None:
    """To mend it, put the tables that `python -m schemas.topics_table` writes between the marks."""
    text = (ROOT / "docs/reference/topics.md").read_text(encoding="utf-8")
    assert text.split(f"<!-- {name}: begin -->\n")[1].split(f"<!-- {name}: end -->")[0] == table
