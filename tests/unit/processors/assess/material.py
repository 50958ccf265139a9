"""Probes, and what follows from all of a relay's probes by a plain look at all of them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from functools import reduce
from itertools import pairwise
from typing import Any, NamedTuple

from processors.assess.health import fold, new
from schemas.records.probe import Checks, OpenCheck, ProbeRecord, ReadCheck, Verdict
from schemas.records.relay_health import RelayHealth
from schemas.relay_urls.relay_url import Network

URL = "wss://relay.example"
START_MS = 1_700_006_400_000
"""A UTC midnight."""
HOUR_MS = 3_600_000
DAY_MS = 86_400_000


def probe(at_ms: int = START_MS, verdict: Verdict = "works", **more: Any) -> ProbeRecord:
    values = {"url": URL, "network": Network.CLEARNET, "is_full": False, "checks": Checks(), "next_in_s": 3600}
    return ProbeRecord.model_validate(values | {"verdict": verdict, "probed_at_ms": at_ms} | more)


def folded(probes: Iterable[ProbeRecord], health: RelayHealth | None = None) -> RelayHealth:
    given = list(probes)
    return reduce(fold, given, health or new(given[0]))


def history(seed: int, days: int) -> list[ProbeRecord]:
    """Hourly probes with jitter, outages of all lengths, blips, refusals, and times without any prober."""
    chance = random.Random(seed)
    at_ms, end_ms = START_MS + chance.randrange(HOUR_MS), START_MS + days * DAY_MS
    verdict: Verdict = "works"
    probes: list[ProbeRecord] = []
    while at_ms < end_ms:
        roll = chance.random()
        if roll < 0.04:
            verdict = chance.choice(["broken", "broken", "works", "refuses_us", "refused_by_policy", "not_nostr"])
        elif roll < 0.15:
            verdict = "works"
        blip = verdict == "works" and chance.random() < 0.02
        shown: Verdict = "broken" if blip else verdict
        took_ms = int(chance.lognormvariate(5, 0.7))
        checks = Checks(open=OpenCheck(ok=True, took_ms=took_ms), read=ReadCheck(ok=True, took_ms=took_ms // 2))
        probes.append(
            probe(
                at_ms,
                shown,
                attempts=1 if blip or shown == "works" else chance.choice([1, 2]),
                cause="connect" if shown == "broken" else None,
                is_full=len(probes) % 4 == 0,
                checks=checks if shown == "works" else Checks(),
            )
        )
        at_ms += HOUR_MS + chance.randrange(-300_000, 300_000)
        if chance.random() < 0.004:
            at_ms += chance.randrange(40 * HOUR_MS)
    return probes


class Expected(NamedTuple):
    """Outages as pairs of first and last ms; and seconds up and down, as ranges."""

    outages: list[tuple[int, int | None]]
    up: list[tuple[int, int]]
    down: list[tuple[int, int]]

    def uptime(self, since_s: int) -> float | None:
        up_s, down_s = (sum(max(0, b - max(a, since_s)) for a, b in ranges) for ranges in (self.up, self.down))
        return up_s / (up_s + down_s) if up_s + down_s else None


KINDS = {"works": "up", "refused_by_policy": "up", "refuses_us": "refused", "not_nostr": "down", "broken": "down"}


def expected(probes: Sequence[ProbeRecord]) -> Expected:
    """What follows from all probes, which are at hand at once and in order; each promises the next in an hour."""
    found = Expected([], [], [])
    times = [each.probed_at_ms for each in probes]
    kinds = [KINDS[each.verdict] for each in probes]
    near = [False] + [later < earlier + 5_400_000 for earlier, later in pairwise(times)]
    repeats = [near[i] and kinds[i] == kinds[i - 1] for i in range(len(probes))]
    sure = [kinds[i] == "up" or probes[i].attempts == 2 or repeats[i] for i in range(len(probes))]
    is_down, unproved = False, [False] * len(probes)
    for i, kind in enumerate(kinds):
        begins_ms = times[i - 1] if repeats[i] and unproved[i - 1] else times[i]
        if kind == "down":
            unproved[i] = not (is_down or sure[i])
            if not is_down and sure[i]:
                found.outages.append((begins_ms, None))
                is_down = True
        elif sure[i] and is_down:
            found.outages[-1] = (found.outages[-1][0], begins_ms)
            is_down = False
        if kind == "refused":
            unproved[i] = not sure[i]
    for i in range(len(probes) - 1):
        ends_s = min(times[i + 1] // 1000, times[i] // 1000 + 5400)
        if kinds[i] == "up":
            found.up.append((times[i] // 1000, ends_s))
        elif kinds[i] == "down" and (not unproved[i] or repeats[i + 1]):
            found.down.append((times[i] // 1000, ends_s))
    return found
