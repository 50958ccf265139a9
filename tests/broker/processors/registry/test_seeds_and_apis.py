"""What a list of seeds and an API name is read: seeder and finder with a registry that decides, on a real Kafka."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from core.settings import Settings
from producers.finding.service import FinderService
from tests.broker.processors.harness import records
from tests.broker.processors.registry.harness import SEEN_POLL_S, command, known, registry, relays
from tests.broker.producers.lone_seeder import seed
from tests.broker.producers.lone_service import running
from tests.unit.processors.registry.material import wish
from tests.unit.producers.fetching.servers import http_server, json_text
from tests.waiting import until

pytestmark = [pytest.mark.broker, pytest.mark.timeout(590)]

SEED, BOTH, LISTED, LATER = "wss://relay.a.example", "wss://b.example", "wss://c.example/nostr", "wss://d.example"
DENIED, PRIVATE = "wss://denied.example", "ws://127.0.0.1:7777"


async def test_seeds_and_what_an_api_lists_are_admitted_each_once(ours: Settings, tmp_path: Path) -> None:
    seeds = tmp_path / "seeds"
    seeds.write_text(f"# mine\n{SEED}/\n{SEED}, {BOTH}\n{DENIED}\nWSS://Relay.A.example:443\n")
    with registry(ours, tmp_path) as process:
        await process.ready()
        await command(ours, wish(DENIED, "deny"))
        await known(ours, {DENIED: False})
        await seed(ours, str(seeds))
        read: dict[str, bool | None] = {SEED: True, BOTH: True, DENIED: False}
        await known(ours, read)

        listing = json_text(json.dumps([BOTH, LISTED, LISTED, DENIED, PRIVATE]))
        async with http_server(listing) as api:
            finder = type(ours.finder).model_validate({"sources": [{"url": api}], "allow_private": True})
            async with running(FinderService(ours.model_copy(update={"finder": finder}))):
                await known(ours, read | {LISTED: True})
        sources = {SEED: ("seed",), BOTH: ("api", "seed"), LISTED: ("api",), DENIED: ("api", "seed")}

        async def said() -> bool:
            return {url: record.sources for url, record in (await relays(ours)).items()} == sources

        await until(said, f"the sources are {sources}", poll_s=SEEN_POLL_S)

        # Again, with one more: that a relay was published before is known from the topic.
        seeds.write_text(f"{seeds.read_text()}{LATER}\n")
        before = await relays(ours)
        await seed(ours, str(seeds))
        await known(ours, read | {LISTED: True, LATER: True})
        assert await process.stop() == 0, process.log()
    assert {url: record for url, record in (await relays(ours)).items() if url != LATER} == before
    commands = Counter(record.key.decode() for record in await records(ours, "relays.commands"))
    assert commands == Counter([f"operator {DENIED}", *(f"seed {url}" for url in (SEED, BOTH, DENIED, LATER))])
