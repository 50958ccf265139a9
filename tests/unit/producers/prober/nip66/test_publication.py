"""A consumer that knows NIP-66 finds on foreign relays what probes found, and nothing of relays that were away."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from core.settings import Settings
from producers.prober.nip66.publication import Publication
from schemas.nostr.signature import public_key
from schemas.records.probe import Checks, Observed
from tests.relays.local_relay import local_relay
from tests.relays.python_relay import python_relay
from tests.unit.producers.prober.nip66.consumer import announced, discover
from tests.unit.producers.prober.nip66.publishing import publishing
from tests.unit.producers.prober.nip66.records import FULL, OPEN, READ, URL, full, record, settings
from tests.unit.producers.prober.speaking import DIALLING, KEY
from tests.waiting import until

MONITOR = public_key(bytes.fromhex(KEY.get_secret_value()))
TEXT = json.dumps({"name": "An example", "supported_nips": [1, 11], "tags": ["bitcoin"]})


@asynccontextmanager
async def relay_of(kind: str, folder: Path) -> AsyncIterator[str]:
    if kind == "python":
        with python_relay(folder) as url:
            yield url
    else:
        async with local_relay() as url:
            yield url


def queued(publication: Publication) -> int:
    return sum(len(each.outbox) for each in publication.destinations)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["rust", "python"])
async def test_consumers_find_relays_that_are_online(kind: str, tmp_path: Path) -> None:
    now_s = int(time.time())
    async with relay_of(kind, tmp_path) as url, publishing(url, geohash="ud9") as publication:
        publication.probed(full(at_s=now_s, observed=Observed(auth_required=False)), TEXT)
        publication.probed(
            record(
                "wss://auth.example/inbox",
                at_s=now_s,
                verdict="refused_by_policy",
                observed=Observed(auth_required=True),
            ),
            None,
        )
        hidden = "ws://" + "a" * 55 + "d.onion"
        publication.probed(record(hidden, at_s=now_s, network="tor"), None)
        for verdict in ("broken", "not_nostr", "refuses_us"):
            publication.probed(record(f"wss://{verdict.replace('_', '-')}.example", at_s=now_s, verdict=verdict), None)

        async def all_there() -> bool:
            return len(await discover(url, MONITOR)) == 3 and len(await announced(url, MONITOR)) == 3

        await until(all_there, "three relays and what the monitor says of itself")
        (found,) = await discover(url, MONITOR, d=[f"{URL}/"])
        assert (found.url, found.at_s, found.tags["rtt-open"]) == (f"{URL}/", now_s, ["120"])
        assert (found.document, found.tags["N"], found.tags["t"]) == (json.loads(TEXT), ["1", "11"], ["bitcoin"])
        assert ("ISO-3166-1", "FI") in found.labels
        assert await discover(url, MONITOR, d=[URL]) == []
        assert [each.url for each in await discover(url, MONITOR, R=["auth"])] == ["wss://auth.example/inbox"]
        assert [each.url for each in await discover(url, MONITOR, R=["!auth"])] == [f"{URL}/"]
        assert [each.url for each in await discover(url, MONITOR, n=["tor"])] == [f"{hidden}/"]
        assert [each.url for each in await discover(url, MONITOR, g=["ud"])] == [f"{URL}/"]
        said = await announced(url, MONITOR)
        assert ["frequency", "3600"] in said[10_166]["tags"]
        assert said[10_002]["tags"] == [["r", f"{url}/", "write"]]
        assert json.loads(said[0]["content"])["name"] == "BigBrotr monitor"


async def test_events_are_renewed_as_often_as_is_promised() -> None:
    now_s = int(time.time()) - 3600
    publication = Publication(settings("ws://127.0.0.1:1", prober={"interval_s": 600}), DIALLING)
    (destination,) = publication.destinations
    published = []
    for at_s in range(now_s, now_s + 3601, 600):
        publication.probed(record(at_s=at_s), None)
        if queued(publication):
            published.append((await destination.outbox.take()).created_at - now_s)
    # The probe at 3,000 s is followed by one that is still in time.
    assert published == [0, 3600]
    # A clock that was wrong does not silence a relay.
    publication.probed(record(at_s=now_s - 86_400), None)
    assert queued(publication) == 1


async def test_a_relay_that_went_away_is_not_published() -> None:
    publication = Publication(settings("ws://127.0.0.1:1"), DIALLING)
    publication.probed(full(), TEXT)
    (destination,) = publication.destinations
    assert (await destination.outbox.take()).content == TEXT
    publication.probed(full(at_s=1_790_003_600, verdict="broken"), None)
    assert queued(publication) == 0


async def test_after_a_restart_an_event_says_what_the_process_before_found() -> None:
    publication = Publication(settings("ws://127.0.0.1:1"), DIALLING)
    publication.remember(URL, FULL, Observed(counts=True), full_at_ms=1_790_000_000_000)
    publication.probed(record(at_s=1_790_003_600), None)
    (destination,) = publication.destinations
    event = await destination.outbox.take()
    assert ["geo-country", "FI"] in event.tags
    assert ["N", "45"] in event.tags
    # What this process has found itself is newer.
    publication.probed(full(at_s=1_790_007_200, checks=Checks(open=OPEN, read=READ)), None)
    publication.remember(URL, FULL, Observed(), full_at_ms=1_790_000_000_000)
    publication.probed(record(at_s=1_790_010_800), None)
    assert ["geo-country", "FI"] not in (await destination.outbox.take()).tags


@pytest.mark.parametrize(
    ("given", "warned"),
    [
        (settings(), False),
        (settings(key=None), False),
        (settings("ws://127.0.0.1:1", key=None), True),
        (settings(prober={"write": True}, key=None), True),
    ],
)
async def test_without_key_or_relays_nothing_is_published(
    given: Settings, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    publication = Publication(given, DIALLING)
    publication.probed(record(), None)
    assert publication.status() == []
    assert ("monitor.key is not" in caplog.text) is warned


def test_what_only_a_private_network_reaches_is_published_where_that_is_asked_for() -> None:
    found = record("ws://10.0.0.7", checks=Checks(open=OPEN.model_copy(update={"address": "10.0.0.7"}), read=READ))
    for allowed in (False, True):
        publication = Publication(settings("wss://relay.example", allow_private=allowed), DIALLING)
        publication.probed(found, None)
        assert queued(publication) == allowed
