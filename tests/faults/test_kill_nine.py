"""Connector, processor and sink are killed in turn while events flow; nothing is lost and nothing is counted twice."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from random import Random

import pytest

from deploy.embedded.stack import Servers
from tests.pipeline.fixtures import Pipeline, pipeline
from tests.pipeline.services import NAMES
from tests.pipeline.world import announce
from tests.relays.demo_process import demo_relays

log = logging.getLogger(__name__)

pytestmark = [pytest.mark.faults, pytest.mark.timeout(420)]

EVENTS = 20_000
# New events as well, for as long as it lasts: no kill finds a service with nothing to do, and live subscriptions, and
# the gaps that a kill leaves in them, are in it too.
TRICKLE_PER_S = 200
LIMIT_S = 180.0


@pytest.fixture
def run(servers: Servers, tmp_path: Path) -> Iterator[Pipeline]:
    with pipeline(servers, "kill9", tmp_path) as started:
        yield started


async def test_kill_nine_of_each_service_in_turn_costs_no_row(run: Pipeline) -> None:
    seed = secrets.randbelow(2**32)
    log.warning("seed %d", seed)
    rng = Random(seed)
    with demo_relays(relays=3, events=EVENTS, copies=2.4, seed=seed, trickle_per_s=TRICKLE_PER_S) as relays:
        await announce(run.settings, *relays.urls)
        victims = list(NAMES)
        rng.shuffle(victims)
        archived = 0
        for victim in victims:
            # Somewhere within the next fifth of the flow, wherever the last death has left it.
            await run.archive.until_counts(archived + rng.randrange(1, EVENTS // 5), 0, LIMIT_S)
            archived, _ = await run.archive.counts()
            await run.archive.until(f"{victim} has work in hand", partial(in_the_middle, run, victim), LIMIT_S, 0.0)
            log.warning("kill -9 %s at %d events", victim, archived)
            run.services.kill(victim)
            run.services.start(victim)
        offered = relays.end_trickle()
        await run.archive.until_counts(offered["events"], offered["pairs"], LIMIT_S)
        digest = await run.archive.digest()
    assert (digest.events, digest.pairs) == (offered["events"], offered["pairs"])
    assert digest.hexdigest() == offered["digest"]["all"]


async def in_the_middle(run: Pipeline, victim: str) -> bool:
    """Tell whether a service has work in hand that is not durable yet: the worst moment to be killed at."""
    if victim == "sink":
        return await run.archive.is_being_written()
    details = await asyncio.to_thread(run.services.details, victim)
    return bool(details.get("unacknowledged_bytes") or details.get("bundles_in_flight"))
