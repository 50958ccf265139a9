"""What a metric is, who exports it, and the registry that holds all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

Kind = Literal["counter", "gauge", "histogram"]
Owner = Literal["connector", "processor", "registry", "sink", "janitor", "seeder", "finder", "prober", "api"]


@dataclass(frozen=True)
class Family:
    """One metric with all its labels.

    Attributes:
        name: as a scrape has it; a histogram's series add `_bucket`, `_count` and `_sum`.
        kind: the type that Prometheus knows it by.
        meaning: what one unit of it says; the help text of a scrape.
        unit: what is counted or measured.
        labels: their names.
        owners: services that export it; none stands for every service.
        collector: what the code counts with.
    """

    name: str
    kind: Kind
    meaning: str
    unit: str
    labels: tuple[str, ...]
    owners: tuple[Owner, ...]
    collector: Counter | Gauge | Histogram

    def is_of(self, service: str) -> bool:
        """Whether a service exports it."""
        return not self.owners or service in self.owners


REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

FAMILIES: list[Family] = []
"""In the order of the page that is written from it."""

_SECONDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""From one loop turn to a stall that a person notices: latencies of a batch, a flush or a loop turn."""


def counter(name: str, meaning: str, unit: str, *labels: str, of: tuple[Owner, ...]) -> Counter:
    """Make a counter that these services export."""
    made = Counter(f"bigbrotr_{name}", meaning, labels, registry=REGISTRY)
    FAMILIES.append(Family(f"bigbrotr_{name}_total", "counter", meaning, unit, labels, of, made))
    return made


def gauge(name: str, meaning: str, unit: str, *labels: str, of: tuple[Owner, ...]) -> Gauge:
    """Make a gauge that these services export."""
    made = Gauge(f"bigbrotr_{name}", meaning, labels, registry=REGISTRY)
    FAMILIES.append(Family(f"bigbrotr_{name}", "gauge", meaning, unit, labels, of, made))
    return made


def seconds(name: str, meaning: str, *labels: str, of: tuple[Owner, ...]) -> Histogram:
    """Make a histogram of durations that these services export."""
    made = Histogram(f"bigbrotr_{name}_seconds", meaning, labels, buckets=_SECONDS, registry=REGISTRY)
    FAMILIES.append(Family(f"bigbrotr_{name}_seconds", "histogram", meaning, "seconds", labels, of, made))
    return made


def export_only(service: str) -> None:
    """Have this process export what a service of this name counts, and nothing of the others; called once.

    Until then everything is exported, as where tests run parts of several services in one process.
    """
    for family in FAMILIES:
        if not family.is_of(service):
            REGISTRY.unregister(family.collector)


def values() -> dict[str, float]:
    """Sum each of our metrics over its labels, by name (`bigbrotr_…`, counters with `_total`), for a status page."""
    sums: dict[str, float] = {}
    for metric in REGISTRY.collect():
        for sample in metric.samples:
            if sample.name.startswith("bigbrotr_") and not sample.name.endswith(("_bucket", "_created")):
                sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
    return sums
