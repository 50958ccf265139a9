"""Connector, processor and registry are killed together while events name relays: none is lost, and a replay agrees."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from bigbrotr.services import BY_NAME
from bigbrotr.status.lags import open_lags
from core.settings import Settings
from deploy.demo.scene import Signed
from producers.operator.relay_commands import adding, commanding, publish_commands, replacing
from schemas.records.event_record import decode
from schemas.relay_urls.relay_url import normalize
from tests.broker.processors.harness import records
from tests.broker.processors.registry.harness import digest, digest_of, registry, replayed, settled
from tests.faults.naming import known, naming, seeded
from tests.faults.own_stack import OwnStack
from tests.pipeline.archive import digest_of as archive_of
from tests.pipeline.commands import command
from tests.pipeline.fixtures import Pipeline, pipeline
from tests.pipeline.services import NAMES
from tests.relays.client import fill
from tests.relays.dns_server import name_server
from tests.relays.local_relay import local_relay
from tests.waiting import until

log = logging.getLogger(__name__)

pytestmark = pytest.mark.storms

TAKING = ("processor", "registry")
VICTIMS = ("connector", *TAKING)
TAKEN = "bigbrotr_registry_findings_total"
LIMIT_S = 240.0
"""Far above what anything takes that is waited for: it only ends a test that would hang."""
LOOK_S = 0.5
"""Between two looks at offsets, which ask both servers."""
HASTE_S = 8.0
"""A kill at any moment comes within this time of the one before: Kafka takes 6 s to give up the dead."""
SOON_S = 0.5
"""A kill in the middle of work comes within this time of its begin: what follows is committed twice a second."""
BATCH = 5
"""Events that a relay gets at once."""
PAUSE_S = 0.05
DENIED = "site7.example"
NO_CAPS = {"admissions_per_day": 100_000}
"""Which relays a cap delays depends on the order in which they are named."""
QUICK = {"BIGBROTR_KAFKA__SESSION_TIMEOUT_S": "6"}


@dataclass(frozen=True)
class Scale:
    """How many relays are named, and how often those who carry that on are killed."""

    relays: int
    kills: int


@pytest.fixture
async def storm(stack: OwnStack, seed: int, tmp_path: Path) -> AsyncIterator[Pipeline]:
    """A pipeline with a registry. No name exists: nothing is asked beyond this machine."""
    name = f"named_{seed}_{secrets.token_hex(3)}"
    caps = {f"BIGBROTR_REGISTRY__{cap.upper()}": str(most) for cap, most in NO_CAPS.items()}
    async with name_server() as names:
        env = {**QUICK, **caps, "BIGBROTR_CONNECTOR__NAMESERVERS": names.address}
        with ExitStack() as opened:
            # It runs event loops of its own for what it sets up and takes down.
            started = pipeline(stack.servers, name, tmp_path, names=(*NAMES, "registry"), **env)
            run = await asyncio.to_thread(opened.enter_context, started)
            try:
                yield run
            finally:
                await asyncio.to_thread(opened.close)


@pytest.mark.parametrize(
    "scale",
    [
        pytest.param(Scale(relays=2_000, kills=5), id="short", marks=pytest.mark.timeout(420)),
        pytest.param(Scale(relays=10_000, kills=20), id="whole", marks=[pytest.mark.long, pytest.mark.timeout(1_800)]),
    ],
)
async def test_kills_of_all_who_carry_names_lose_no_relay_and_a_replay_of_events_agrees(
    storm: Pipeline, scale: Scale, seed: int, tmp_path: Path
) -> None:
    rng, settings, now_ms = Random(seed), storm.settings, time.time_ns() // 1_000_000
    events = naming(scale.relays, seed=seed, base_s=now_ms // 1000)
    async with local_relay() as url:
        own = normalize(url, allow_private=True)
        seeds = adding([own], source="seed", allow_private=True, now_ms=now_ms)
        await publish_commands(settings, seeds, replacing)
        size, unread = len(events) // (scale.kills + 1), Counter[str]()
        for number in range(scale.kills):
            flowing = asyncio.create_task(publish(url, events[number * size : (number + 1) * size]))
            if number == scale.kills // 2:
                await publish_commands(settings, commanding("deny", [DENIED], "asked to be left alone"), replacing)
            unread += await kill(storm, rng)
            await flowing
        await publish(url, events[scale.kills * size :])
        await storm.archive.until_counts(len(events), len(events), LIMIT_S)
        await finish(storm)
    log.warning("%d kills of three; they had not carried on %s", scale.kills, dict(unread))
    assert unread.total(), "no kill has met any work"
    assert await storm.archive.digest() == archive_of({(event.id, own.url) for event in events})

    wanted = [seeded(own, now_ms), *known(events, await received(settings), {DENIED})]
    assert len(wanted) == scale.relays + 1
    undisturbed = digest_of(
        [each for each in wanted if each.admitted_at_ms is not None],
        [each for each in wanted if each.admitted_at_ms is None],
    )
    assert await digest(settings) == undisturbed

    again = await replayed(capless(settings), "events", "relays.commands")
    await command(again, "relays", "rediscover")
    with registry(again, tmp_path, "again") as process:
        await process.ready()
        await settled(process)
        assert await process.stop() == 0, process.log()
    assert await digest(again) == undisturbed


async def publish(url: str, events: Sequence[Signed]) -> None:
    """Have a relay get events, a few at a time."""
    for start in range(0, len(events), BATCH):
        assert not {why for why in (await fill(url, events[start : start + BATCH])).values() if why}
        await asyncio.sleep(PAUSE_S)


async def kill(run: Pipeline, rng: Random) -> Counter[str]:
    """Kill all three, as often in the middle of work as at any moment; the records that waited then."""
    services = run.services

    async def is_at_work() -> bool:
        services.check()
        return bool(await asyncio.to_thread(services.metric, "registry", TAKEN))

    if rng.random() < 1 / 2:
        await until(is_at_work, "the registry takes what is found", LIMIT_S)
        await asyncio.sleep(rng.random() * SOON_S)
    else:
        await asyncio.sleep(rng.random() * HASTE_S)
    unread = await waiting(run.settings)
    services.check()
    for name in VICTIMS:
        services.kill(name)
    log.warning("kill -9 %s with %s", ", ".join(VICTIMS), unread)
    services.start(*VICTIMS)
    return Counter(unread)


async def waiting(settings: Settings) -> dict[str, int]:
    """How many records processor and registry have still to take, or to commit."""
    async with open_lags(settings) as lags:
        return {name: await lags.unread(reads) for name in TAKING if (reads := BY_NAME[name].reads) is not None}


async def finish(run: Pipeline) -> None:
    """Let everything be carried on to its end, and stop who carries it: what they met of relays would go on coming."""
    services = run.services
    assert await asyncio.to_thread(services.stop_one, "connector") == 0, services.tail("connector")
    for name in TAKING:

        async def is_done(name: str = name) -> bool:
            services.check()
            details = await asyncio.to_thread(services.details, name)
            return not (await waiting(run.settings))[name] and bool(details.get("is_settled", True))

        await until(is_done, f"{name} has taken all", LIMIT_S, LOOK_S)
        assert await asyncio.to_thread(services.stop_one, name) == 0, services.tail(name)


async def received(settings: Settings) -> dict[str, int]:
    """When each archived event was received, in ms by id: the least time where a kill has had it archived again."""
    times: dict[str, int] = {}
    for record in await records(settings, "events"):
        event, seen_ms = record.key.hex(), decode(record.value).seen_at_ms
        times[event] = min(seen_ms, times.get(event, seen_ms))
    return times


def capless(settings: Settings) -> Settings:
    return settings.model_copy(update={"registry": settings.registry.model_copy(update=NO_CAPS)})
