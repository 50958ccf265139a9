"""The demo is honest: whatever the archive lacks or has too much of is named, and waiting ends only for a reason."""

from __future__ import annotations

from dataclasses import replace

import pytest
from click.testing import CliRunner

from bigbrotr.cli import cli
from bigbrotr.demo.comparison import STALLED_AFTER_S, Completion, Held, mismatches
from bigbrotr.demo.isolation import isolated
from bigbrotr.demo.process import Offer, arguments
from bigbrotr.status.snapshot import Counts, Snapshot
from bigbrotr.supervise.children import service_env
from core.settings import Settings
from schemas.digest import Digest

ONE, TWO = "ws://127.0.0.1:1", "ws://127.0.0.1:2"
IDS = [f"{number:064x}" for number in range(1, 5)]
PAIRS = [(IDS[0], ONE), (IDS[0], TWO), (IDS[1], ONE), (IDS[2], TWO)]


def held(ids: list[str], pairs: list[tuple[str, str]]) -> Held:
    digest = Digest()
    for event_id in ids:
        digest.add_event(event_id)
    for event_id, relay in pairs:
        digest.add_pair(event_id, relay)
    relays = [relay for _, relay in pairs]
    return Held(digest, {relay: relays.count(relay) for relay in set(relays)})


def offered() -> Offer:
    same = held(IDS[:3], PAIRS)
    return Offer.from_report(
        {
            "ready": True,
            "urls": [ONE, TWO],
            "events": 3,
            "pairs": 4,
            "per_relay": {ONE: 2, TWO: 2},
            "refused": 0,
            "refusals": [],
            "digest": {"events": same.digest.events_hex(), "pairs": same.digest.pairs_hex(), "all": ""},
        }
    )


def test_the_same_in_any_order_is_no_mismatch() -> None:
    assert mismatches(offered(), held(IDS[2::-1], PAIRS[::-1]), {}) == []


@pytest.mark.parametrize(
    ("archive", "rejected", "words"),
    [
        (held(IDS[:2], PAIRS[:3]), {}, ["offered 3 distinct events, the archive holds 2", f"{TWO} offered 2"]),
        (held(IDS, PAIRS), {}, ["the archive holds 4"]),
        (held([IDS[0], IDS[1], IDS[3]], PAIRS), {}, ["but other ones than the relays offered"]),
        (held(IDS[:3], PAIRS[:3]), {}, [f"{TWO} offered 2 events, the archive saw 1 there"]),
        (held(IDS[:3], [*PAIRS[:3], (IDS[1], TWO)]), {}, ["as many events at each relay as were offered, but other"]),
        (held(IDS[:3], [*PAIRS, (IDS[0], "ws://three")]), {}, ["ws://three offered 0 events, the archive saw 1"]),
        (held(IDS[:3], PAIRS), {"bad_signature": 1}, ["valid events were rejected: bad_signature 1"]),
    ],
)
def test_every_difference_is_named(archive: Held, rejected: dict[str, int], words: list[str]) -> None:
    found = mismatches(offered(), archive, rejected)
    assert len(found) == len(words)
    for sentence, part in zip(found, words, strict=True):
        assert part in sentence


def seen(at_s: float, archived: int, sightings: int) -> Snapshot:
    return Snapshot(at_s=at_s, counts=Counts(received=archived, archived=archived, sightings=sightings))


def test_it_is_complete_only_once_all_that_is_offered_is_archived() -> None:
    completion = Completion()
    assert not completion.reached(seen(0.0, 0, 0))
    assert not completion.reached(seen(1.0, 3, 4)), "the relays have not said yet what they offer"
    completion.offer = offered()
    assert not completion.reached(seen(2.0, 3, 3))
    assert completion.reached(seen(3.0, 3, 4))
    assert completion.first_row_at_s == 1.0
    assert not completion.stalled


def test_waiting_ends_when_nothing_has_moved_for_long() -> None:
    completion = Completion()
    completion.offer = offered()
    assert not completion.reached(seen(0.0, 1, 1))
    assert not completion.reached(seen(STALLED_AFTER_S, 2, 2)), "something moved"
    assert not completion.reached(seen(2 * STALLED_AFTER_S, 2, 2))
    assert completion.reached(seen(2 * STALLED_AFTER_S + 1, 2, 2))
    assert completion.stalled


def test_a_database_that_is_away_is_not_complete() -> None:
    completion = Completion()
    completion.offer = replace(offered(), events=0, pairs=0)
    assert not completion.reached(Snapshot(at_s=0.0))


def test_the_relays_are_told_what_was_asked_for_and_nothing_else() -> None:
    told = arguments(relays=2, events=10, seed=1, base_time_s=None, for_s=0.0)
    assert told == ["--relays", "2", "--copies", "2", "--events", "10", "--seed", "1", "--for-s", "0.0"]
    assert arguments(relays=3, base_time_s=5) == ["--relays", "3", "--copies", "2.4", "--base-time-s", "5"]


def test_nothing_is_published_of_its_relays_and_nothing_is_written_to_them() -> None:
    given = Settings.model_validate(
        {
            "kafka": {"bootstrap_servers": "kafka:9092"},
            "postgres": {"dsn": "postgresql://me@host/db"},
            "prober": {"write": True},
            "monitor": {"key": f"{1:064x}", "relays": ["wss://relay.example.com"]},
        }
    )
    base = {"BIGBROTR_PROBER__WRITE": "true", "BIGBROTR_MONITOR__RELAYS": "wss://relay.example.com"}
    told = service_env(given, None, "prober", base)
    assert told["BIGBROTR_PROBER__WRITE"] == "True"
    assert told["BIGBROTR_MONITOR__RELAYS"] == '["wss://relay.example.com"]'
    told = service_env(isolated(given), None, "prober", base)
    assert told["BIGBROTR_PROBER__WRITE"] == "False"
    assert told["BIGBROTR_MONITOR__RELAYS"] == "[]"


def test_seconds_of_live_events_need_an_end() -> None:
    done = CliRunner().invoke(cli, ["demo", "--live-s", "0"])
    assert done.exit_code == 2
    assert "--live-s goes with --once" in done.output
