"""Counts how long the checks of probes take, by day, in the buckets of `schemas.latency_buckets`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from schemas.latency_buckets import Counts, bucket
from schemas.records.probe import Checks
from schemas.records.relay_health import MOST_LATENCIES, Latency


def add(latencies: Iterable[Latency], day: int, checks: Checks) -> tuple[Latency, ...]:
    """Return the latencies with those of one more probe, of a day that is none before the last one's."""
    kept = [each for each in latencies if day - MOST_LATENCIES < each.day]
    opened = checks.open.took_ms if checks.open is not None and checks.open.ok else None
    read = checks.read.took_ms if checks.read is not None and checks.read.ok else None
    if opened is None and read is None:
        return tuple(kept)
    of_day = kept.pop() if kept and kept[-1].day == day else Latency(day, (), ())
    kept.append(Latency(day, _counted(of_day.open, opened), _counted(of_day.read, read)))
    return tuple(kept)


def _counted(counts: Counts, took_ms: int | None) -> Counts:
    if took_ms is None:
        return counts
    counted = Counter(dict(counts))
    counted[bucket(took_ms)] += 1
    return tuple(sorted(counted.items()))
