"""Services, broker and database are killed at random while relays lie; nothing is lost and nothing is counted twice."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from deploy.demo.events import generate
from schemas.digest import Digest
from tests.faults.kills import Killer, drawn
from tests.faults.liars import Liars, liars
from tests.faults.own_stack import OwnStack
from tests.pipeline.archive import digest_of
from tests.pipeline.fixtures import Run, pipeline, running
from tests.pipeline.services import Services
from tests.pipeline.supervised import Supervised
from tests.pipeline.world import announce
from tests.relays.demo_process import DemoProcess, demo_relays

log = logging.getLogger(__name__)

pytestmark = pytest.mark.storms

# New events as well, for as long as it lasts: no kill finds a service with nothing to do, and live subscriptions, and
# the gaps that a kill leaves in them, are in it too.
TRICKLE_PER_S = 100
# Those of which a relay has forged copies only, and sends them as early as it can.
FORGED = 200
LIMIT_S = 150.0
# The pages of a relay that says nothing are given up soon.
QUICK = {"BIGBROTR_CONNECTOR__EOSE_TIMEOUT_S": "3"}


@dataclass(frozen=True)
class Scale:
    """How long the storm is: `events` are stored at the honest relays when it begins."""

    events: int
    kills: int
    relays: int
    again: bool
    """Whether the relays are archived once more, by services that are not disturbed."""


SHORT = Scale(events=8_000, kills=8, relays=3, again=False)
WHOLE = Scale(events=50_000, kills=50, relays=4, again=True)


@pytest.fixture
def storm(stack: OwnStack, seed: int, tmp_path: Path) -> Iterator[Run[Supervised]]:
    with running(stack.servers, Supervised, f"storm_{seed}_{secrets.token_hex(3)}", tmp_path, **QUICK) as started:
        yield started


@pytest.mark.parametrize(
    "scale",
    [
        pytest.param(SHORT, id="short", marks=pytest.mark.timeout(420)),
        pytest.param(WHOLE, id="whole", marks=[pytest.mark.long, pytest.mark.timeout(3_600)]),
    ],
)
async def test_kill_nine_of_any_part_costs_no_row(
    storm: Run[Supervised], stack: OwnStack, scale: Scale, seed: int, tmp_path: Path
) -> None:
    rng = Random(seed)
    base_s, began = int(time.time()), time.monotonic()
    honest = {"relays": scale.relays, "events": scale.events, "copies": 2.4, "seed": seed, "base_time_s": base_s}
    with demo_relays(**honest, trickle_per_s=TRICKLE_PER_S) as relays:
        copied = generate(FORGED, seed=seed, base_time_s=base_s, workers=1)
        async with liars(copied, seed + 1) as lying:
            # The forgeries come first, where that can be had.
            await announce(storm.settings, *lying.urls, *relays.urls)
            killer = Killer(storm, stack, rng)
            for victim in drawn(scale.kills, rng):
                await killer.kill(victim, rng.randrange(1, max(2, scale.events // scale.kills)))
            killed_s = time.monotonic() - began
            digest = await complete(storm, relays, lying)
            tell(storm, killer, digest, killed_s, time.monotonic() - began)
            if scale.again:
                (tmp_path / "again").mkdir()
                assert await undisturbed(stack, seed, tmp_path / "again", relays, lying) == digest


async def complete(run: Run[Services] | Run[Supervised], relays: DemoProcess, lying: Liars) -> Digest:
    """Wait until everything is archived that the relays offer, and no more; return the archive's digest."""
    offered = relays.offer if "ended" in relays.offer else await asyncio.to_thread(relays.end_trickle)
    wanted = Counter(offered["per_relay"]) + Counter(url for _, url in lying.pairs)
    try:
        await run.archive.until_counts(0, wanted.total(), LIMIT_S)
    except AssertionError as late:
        found = Counter(url for _, url in await run.archive.sightings())
        short = {url: f"{found[url]} of {wanted[url]}" for url in wanted | found if found[url] != wanted[url]}
        raise AssertionError(f"{short}; {await asyncio.to_thread(run.services.details, 'connector')}") from late
    pairs = await run.archive.sightings()
    # Pairs and events are topics of their own: the last pair may be written before the last event.
    await run.archive.until_counts(len({event_id for event_id, _ in pairs}), wanted.total(), LIMIT_S)
    assert {pair for pair in pairs if pair[1] not in relays.urls} == lying.pairs
    digest = await run.archive.digest()
    assert digest == digest_of(pairs)
    assert digest_of(pairs - lying.pairs).hexdigest() == offered["digest"]["all"]
    return digest


async def undisturbed(stack: OwnStack, seed: int, folder: Path, relays: DemoProcess, lying: Liars) -> Digest:
    """Archive the same relays anew, in a world of its own."""
    with ExitStack() as opened:
        # It runs event loops of its own for what it sets up and takes down.
        name = f"calm_{seed}_{secrets.token_hex(3)}"
        run = await asyncio.to_thread(opened.enter_context, pipeline(stack.servers, name, folder, **QUICK))
        try:
            await announce(run.settings, *lying.urls, *relays.urls)
            return await complete(run, relays, lying)
        finally:
            await asyncio.to_thread(opened.close)


def tell(run: Run[Supervised], killer: Killer, digest: Digest, killed_s: float, whole_s: float) -> None:
    """Print the figures of a run."""
    ends = Counter(f"{end.name} with code {end.code}" for end in run.services.ends)
    log.warning(
        "%d kills (%s) in %.0f s; complete after %.0f s: %s; crashes took back the commits of %d records; "
        "ended by themselves and were started again: %s",
        killer.done.total(),
        ", ".join(f"{name} {count}" for name, count in sorted(killer.done.items())),
        killed_s,
        whole_s,
        digest,
        killer.taken_back,
        ", ".join(f"{what} {count} times" for what, count in sorted(ends.items())) or "none",
    )
