"""Relays of accepted events come to the registry's topic, none is lost by a kill, and the archive tells the same."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

from core.kafka import open_publisher
from core.settings import Settings
from deploy.demo.events import generate
from processors.validate.discovery.rediscover import rediscover
from schemas.nostr.event import Event, encode_event
from schemas.nostr.event_id import compute_id
from schemas.nostr.signature import public_key, sign
from schemas.records.erasure import Cause, Erasure
from schemas.records.relay import MOST_AUTHORS, author_hash
from schemas.records.relay_found import RelayFound
from schemas.relay_urls.registrable_domain import domain_partition
from schemas.relay_urls.relay_url import normalize
from schemas.topics import physical
from tests.broker.processors.harness import (
    Found,
    Line,
    all_committed,
    bundles,
    erase,
    line,
    processor,
    produce,
    records,
)
from tests.environment import environment
from tests.unit.processors.material import forged_signature
from tests.waiting import until

pytestmark = pytest.mark.broker
AT_MS = 1_700_000_000_000
SECRETS = [(number + 1).to_bytes(32) for number in range(12)]


class Known(NamedTuple):
    """What all records of a relay say together."""

    authors: tuple[str, ...]
    first_seen_ms: int


def signed(secret: bytes, content: str, *tags: list[str]) -> Event:
    unsigned = Event("", public_key(secret), 1_700_000_000, 10002 if tags else 1, list(tags), content, "")
    event_id = compute_id(unsigned)
    return unsigned._replace(id=event_id, sig=sign(secret, bytes.fromhex(event_id)))


def known(found: list[Found], partitions: int) -> dict[str, Known]:
    """Check each record's place, and add them up as the registry does."""
    relays: dict[str, Known] = {}
    for record in found:
        said = RelayFound.decode(record.value)
        assert (record.key.decode(), said.source) == (said.url, "event")
        assert record.partition == domain_partition(normalize(said.url).host, partitions)
        before = relays.get(said.url, Known((), said.first_seen_ms))
        authors = sorted({*before.authors, *said.authors})[:MOST_AUTHORS]
        relays[said.url] = Known(tuple(authors), min(before.first_seen_ms, said.first_seen_ms))
    return relays


def naming() -> dict[int, Event]:
    """Events by the time at which they are received: each of 40 relays by one to twelve authors."""
    return {
        AT_MS + 100 * number + place: signed(secret, "", ["r", f"wss://Relay{number}.a{number % 5}.example/"])
        for number in range(40)
        for place, secret in enumerate(SECRETS[: number % 12 + 1])
    }


def expected(events: dict[int, Event]) -> dict[str, Known]:
    """What `naming` says."""
    relays: dict[str, list[int]] = {}
    for at_ms, event in events.items():
        relays.setdefault(normalize(event.tags[0][1]).url, []).append(at_ms)
    return {
        url: Known(tuple(sorted(author_hash(events[at].pubkey) for at in times)[:MOST_AUTHORS]), min(times))
        for url, times in relays.items()
    }


def copies(events: dict[int, Event]) -> list[Line]:
    return [line(event.id, encode_event(event), "wss://r.example", at_ms) for at_ms, event in events.items()]


def later(found: list[Found], before: list[Found]) -> list[Found]:
    """The records that were added to each partition since."""
    counts = Counter(record.partition for record in before)
    added = []
    for record in found:
        counts[record.partition] -= 1
        if counts[record.partition] < 0:
            added.append(record)
    return added


class Watched:
    """Keeps how far it came."""

    def __init__(self) -> None:
        self.steps: list[tuple[int, int]] = []

    def progress(self, done: int, total: int) -> None:
        self.steps.append((done, total))


async def test_a_kill_loses_no_relay_and_the_archive_names_the_same(ours: Settings, tmp_path: Path) -> None:
    count = ours.kafka.partitions
    events = naming()
    refused = forged_signature(signed(SECRETS[0], "", ["r", "wss://forged.example"]))
    erased = signed(SECRETS[0], "", ["r", "wss://erased.example"])
    await erase(ours, [Erasure(id=erased.id, cause=Cause.OPERATOR, erased_at_ms=1)])
    noise = [line(each.id, each.wire) for each in generate(300, seed=3, base_time_s=1_700_000_000, workers=1)]
    mine = [*copies(events), *(line(each.id, encode_event(each)) for each in (refused, erased))]
    made = bundles([*mine[::2], *noise, *mine[1::2]], count, size=5)
    await produce(ours, made)
    with processor(ours, tmp_path, name="killed") as process:

        async def under_way() -> bool:
            return len(await records(ours, "relays.found")) > 5

        await until(under_way, "the first relays")
        process.kill()
    with processor(ours, tmp_path, name="again") as process:
        await all_committed(ours, made)
        assert await process.stop() == 0, process.log()
    told = await records(ours, "relays.found")
    relays = known(told, count)
    assert {url: relays[url] for url in expected(events)} == expected(events)
    assert not {"wss://forged.example", "wss://erased.example"} & relays.keys()

    # What was erased since then is left out; the first is alone in naming its relay.
    first = events[min(events)]
    await erase(ours, [Erasure(id=first.id, cause=Cause.OPERATOR, erased_at_ms=1)])
    del relays[normalize(first.tags[0][1]).url]
    for _ in range(2):
        watched = Watched()
        report = await rediscover(ours, watched)
        again = later(await records(ours, "relays.found"), told)
        assert (report.published, report.unreadable) == (len(again), 0)
        assert report.erased > 0
        assert watched.steps[-1][0] == watched.steps[-1][1] >= report.events > len(events)
        assert known(again, count) == relays
        told += again


async def test_nothing_is_told_where_discovery_is_off(ours: Settings, tmp_path: Path) -> None:
    ours = ours.model_copy(update={"discovery": ours.discovery.model_copy(update={"enabled": False})})
    made = bundles(copies(naming()), ours.kafka.partitions)
    await produce(ours, made)
    with processor(ours, tmp_path) as process:
        await all_committed(ours, made)
        assert await process.stop() == 0, process.log()
    assert await records(ours, "relays.found") == []
    report = await rediscover(ours, Watched())
    assert (report.events, report.published) == (len(naming()), 40)


async def test_the_command_tells_what_it_published(ours: Settings, tmp_path: Path) -> None:
    publisher = await open_publisher(ours)
    try:
        for topic, value in (("events", b"no event"), ("events", None)):
            await publisher.send(physical(ours.kafka.topic_prefix, topic), value, bytes(32), 0)
        await publisher.flush()
    finally:
        await publisher.close()
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "bigbrotr", "relays", "rediscover", "--json"],
        env=environment(ours, BIGBROTR_DATA_DIR=str(tmp_path)),
        capture_output=True,
        check=True,
    )
    assert json.loads(done.stdout) == {"events": 0, "erased": 0, "unreadable": 1, "published": 0}
