"""What services do while a server is away: what they say that they wait for, and what it costs."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import NamedTuple

import psutil

from tests.pipeline.services import NAMES, Services

log = logging.getLogger(__name__)

# Of a core. A service that tries again without a pause takes all of one; what the relays go on sending takes some 5 %.
MOST_CPU = 0.3
# Ends a test in which no service says anything: the slowest sign is a request that has had no answer for 40 s.
PATIENCE_S = 120.0
POLL_S = 0.25


class Watched(NamedTuple):
    """How long an outage was watched, and for each service its share of a core and what it said meanwhile."""

    seconds: float
    cpu: dict[str, float]
    said: dict[str, list[str]]


async def watch(services: Services, least_s: float, waits: Mapping[str, str]) -> Watched:
    """Watch an outage for at least so long, and until each service of `waits` has named what it waits for.

    No service may end meanwhile.
    """
    began, before = time.monotonic(), {name: _cpu_s(services, name) for name in NAMES}
    said: dict[str, list[str]] = {name: [] for name in NAMES}
    silent = set(waits)
    while silent or time.monotonic() - began < least_s:
        services.check()
        for name in NAMES:
            reasons = await asyncio.to_thread(services.reasons, name)
            said[name] = reasons or said[name]
            if any(waits.get(name, "") in reason for reason in reasons):
                silent.discard(name)
        assert time.monotonic() - began < PATIENCE_S, f"{silent} do not say what they wait for: {said}"
        await asyncio.sleep(POLL_S)
    seconds = time.monotonic() - began
    cpu = {name: (_cpu_s(services, name) - before[name]) / seconds for name in NAMES}
    return Watched(seconds, cpu, said)


def _cpu_s(services: Services, name: str) -> float:
    times = psutil.Process(services.pid(name)).cpu_times()
    return float(times.user + times.system)
