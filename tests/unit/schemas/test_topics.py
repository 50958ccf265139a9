"""The topic table: complete, and with settings under which no promise can be broken by Kafka itself."""

from __future__ import annotations

import pytest

from schemas.topics import ENVELOPE_BYTES, MIB, RAW_LIMIT_BYTES, TOPICS, configs, physical, topic

NAMES = {
    "raw.bundles",
    "events",
    "sightings",
    "erasures",
    "quarantine",
    "rejections",
    "relays.found",
    "relays",
    "raw.probes",
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
        "relays.health",
        "coverage",
    }
    for row in TOPICS:
        settings = configs(row.name)
        if row.compacted:
            assert row.key != "none"
            # Of an erasure, equal keys mean equal rules, whoever writes them.
            assert len(row.producers) == 1 or row.name == "erasures"
            assert settings["cleanup.policy"] == "compact"
            assert int(settings["max.compaction.lag.ms"]) >= int(settings["min.compaction.lag.ms"])
            # Kafka never compacts the active segment, so it must close in time.
            assert int(settings["segment.ms"]) <= int(settings["max.compaction.lag.ms"])
        else:
            assert "max.compaction.lag.ms" not in settings


@pytest.mark.parametrize("name", ["raw.bundles", "events", "sightings", "quarantine", "erasures", "relays", "coverage"])
def test_what_nobody_may_lose_has_no_limit_of_time_or_size(name: str) -> None:
    assert configs(name)["retention.ms"] == configs(name)["retention.bytes"] == "-1"


def test_what_strangers_fill_is_bounded() -> None:
    settings = configs("rejections")
    assert int(settings["retention.ms"]) > 0
    assert int(settings["retention.bytes"]) > int(settings["segment.bytes"]) > 0


def test_sizes() -> None:
    assert RAW_LIMIT_BYTES == MIB
    assert configs("raw.bundles")["max.message.bytes"] == str(RAW_LIMIT_BYTES + ENVELOPE_BYTES)
    for name in ("events", "rejections", "quarantine"):
        assert configs(name)["max.message.bytes"] == str(4 * RAW_LIMIT_BYTES)


def test_records_are_dated_by_the_broker_so_that_no_clock_of_a_writer_has_them_refused_or_kept() -> None:
    assert {configs(row.name)["message.timestamp.type"] for row in TOPICS} == {"LogAppendTime"}


def test_durability_follows_the_replicas() -> None:
    assert [configs("events", replication_factor=n)["min.insync.replicas"] for n in (1, 2, 3)] == ["1", "1", "2"]
    assert configs("events")["unclean.leader.election.enable"] == "false"


def test_names() -> None:
    assert physical("nostr.", "events") == "nostr.events"
    assert topic("events").name == "events"
    for call in (topic, configs):
        with pytest.raises(KeyError, match=r"no topic 'event'.*events"):
            call("event")


def test_segments_of_bundles_close_within_a_day_so_that_deleting_frees_disk() -> None:
    settings = configs("raw.bundles")
    assert int(settings["segment.ms"]) <= 86_400_000
    assert int(settings["max.message.bytes"]) < int(settings["segment.bytes"]) < 2**30
