"""One load: a world of its own on servers of its own, an honest relay, then the hostile one beside it."""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from core.settings import Settings
from core.tasks import cancel
from deploy.embedded.paths import DataPaths
from deploy.embedded.stack import Servers, running_stack
from deploy.embedded.state import read_state
from tests.bench.hostile.arrivals import Arrivals
from tests.bench.hostile.child import Child, child
from tests.bench.hostile.cost import costs
from tests.bench.hostile.counters import Standing
from tests.bench.hostile.loads import LOADS
from tests.bench.hostile.phase import Phase, Place, measure_phase
from tests.pipeline.services import NAMES, Services
from tests.pipeline.world import announce, make_world, settings_for
from tests.relays.dns_server import name_server
from tests.waiting import until

HONEST_PER_S = 20.0
GRACE_S = 15.0
"""For honest events on their way when the measured time is over; the load goes on meanwhile."""
_SPARE_S = 180.0
"""What all that is not measured may take, before the relays end by themselves."""
_FIRST_ARRIVALS = 20
"""Events that have arrived before the baseline begins: connections and caches are as they will be."""

_FIRST_S = 120.0
"""For these: a busy machine takes long to start everything."""

Say = Callable[[str], None]


class Times(NamedTuple):
    """How long is measured, in seconds: without the load, then beside it."""

    baseline_s: float
    loaded_s: float


def run_load(name: str, times: Times, say: Say) -> dict[str, Any]:
    """Measure one load; the result is as the report shows it."""
    load = LOADS[name]
    head = {"load": name, "about": load.about}
    with tempfile.TemporaryDirectory(prefix="bigbrotr-hostile-") as folder:
        say(f"{name}: starting Kafka and PostgreSQL …")
        with running_stack(Path(folder)) as servers:
            settings = settings_for(servers, f"hostile_{name}", Path(folder))
            return {**head, **asyncio.run(_run(servers, settings, name, times=times, say=say))}


async def _run(servers: Servers, settings: Settings, name: str, *, times: Times, say: Say) -> dict[str, Any]:
    await make_world(servers, settings)
    async with name_server(silent=set(LOADS[name].names)) as names:
        connector = settings.connector.model_copy(update={"nameservers": [names.address]})
        return await _beside(settings.model_copy(update={"connector": connector}), name, times=times, say=say)


async def _beside(settings: Settings, name: str, *, times: Times, say: Say) -> dict[str, Any]:
    folder = settings.data_dir
    load, services = LOADS[name], Services(settings)
    services.start(*NAMES)
    limit_s = times.baseline_s + times.loaded_s + GRACE_S + _SPARE_S
    try:
        say(f"{name}: signing events …")
        # The hostile one first: it may sign for a minute, and the time of the honest one runs.
        with (
            child("hostile_relay", name, limit_s, times.loaded_s) as hostile,
            child("honest_relay", HONEST_PER_S, limit_s) as honest,
        ):
            await asyncio.to_thread(services.wait_until_ready)
            place = Place(settings, services, DataPaths.of(folder).kafka, _pids(folder, services, honest, hostile))
            result = await _phases(
                place, honest, hostile, load.names, times=times, say=lambda words: say(f"{name}: {words}")
            )
    finally:
        began = time.monotonic()
        codes = await asyncio.to_thread(services.stop)
    return {**result, "stop_s": round(time.monotonic() - began, 1), "exit_codes": codes}


async def _phases(
    place: Place, honest: Child, hostile: Child, names: Sequence[str], *, times: Times, say: Say
) -> dict[str, Any]:
    arrivals, standing = Arrivals(), Standing()
    following = [asyncio.create_task(arrivals.follow(place.settings, honest))]
    try:
        await announce(place.settings, *honest.urls)
        await until(lambda: len(arrivals.seen) >= _FIRST_ARRIVALS, "honest events arrive", _FIRST_S)
        say(f"{times.baseline_s:g} s without the load …")
        baseline = await measure_phase(place, times.baseline_s)
        say(f"{times.loaded_s:g} s with it …")
        sent_before = hostile.said[-1]["sent_bytes"]
        urls = [*hostile.urls, *(f"ws://{host}" for host in names)]
        await announce(place.settings, *urls)
        following.append(asyncio.create_task(standing.follow(place.services, urls)))
        loaded = await measure_phase(place, times.loaded_s)
        did = hostile.said[-1]
        await _grace(arrivals, loaded)
        for task in following:
            if task.done():
                task.result()
    finally:
        await cancel(*following)
    before, after, sent_bytes = baseline.result(arrivals), loaded.result(arrivals), did["sent_bytes"] - sent_before
    return {
        "baseline": before,
        "loaded": after,
        "hostile": {**did, "sent_bytes": sent_bytes, **costs(before, after, sent_bytes), **standing.summary()},
    }


async def _grace(arrivals: Arrivals, loaded: Phase) -> None:
    """Wait for the last honest events, if they come in time."""
    deadline = time.monotonic() + GRACE_S
    while time.monotonic() < deadline and arrivals.delays_s(loaded.began, loaded.ended)[1]:  # noqa: ASYNC110
        await asyncio.sleep(0.5)


def _pids(folder: Path, services: Services, honest: Child, hostile: Child) -> dict[str, int]:
    state = read_state(DataPaths.of(folder).run)
    assert state
    servers = {name: server.process.pid for name, server in state.servers.items() if server.process}
    ours = {name: services.pid(name) for name in NAMES}
    return {**ours, **servers, "honest relay": honest.pid, "hostile relay": hostile.pid}
