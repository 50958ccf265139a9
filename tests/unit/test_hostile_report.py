"""A measurement of a hostile load says what the load hurts, and nothing where it hurts nothing."""

from __future__ import annotations

from typing import Any

from tests.bench.hostile.cost import costs
from tests.bench.hostile.report import hurts
from tests.bench.hostile.spread import spread
from tests.pipeline.services import NAMES


def phase(*, archived: int = 100, p99_s: float = 1.0, health_s: float = 0.01, mb: int = 50, grown: int = 0) -> Any:
    return {
        "seconds": 30.0,
        "stopped": None,
        "honest": {"sent": 100, "archived": archived, "delay_s": {"p50": 0.5, "p99": p99_s, "max": p99_s}},
        "healthz_s": {name: {"p50": 0.001, "p99": health_s, "max": health_s, "failed": 0} for name in NAMES},
        "processes": {name: {"cores": mb / 100, "peak_mb": mb, "end_mb": mb} for name in NAMES},
        "topics_bytes_per_min": {"rejections": grown},
        "tables_bytes_per_min": {},
    }


def test_a_load_that_hurts_nothing() -> None:
    assert hurts({"baseline": phase(), "loaded": phase()}) == []


def test_a_load_that_hurts_everything() -> None:
    loaded = phase(archived=90, p99_s=20.0, health_s=3.0, mb=900, grown=600_000_000)
    said = hurts({"baseline": phase(), "loaded": {**loaded, "stopped": "connector ended with code 1:\nmore"}})
    assert said[:3] == [
        "it ended after 30.0 s: connector ended with code 1:",
        "10 of 100 honest events were not archived",
        "honest events took at least 20.0 s (p99) instead of 1.0",
    ]
    assert said[3:6] == [
        "connector answered /healthz in 3.0 s (p99), 0 times not at all",
        "connector took 900 MB instead of 50",
        "connector used 9.0 cores instead of 0.5",
    ]
    assert said[-1] == "topic rejections grew by 600 MB a minute more"


def test_costs_are_what_a_load_adds_by_what_it_sent() -> None:
    found = costs(phase(), phase(mb=150, grown=8_000_000), sent_bytes=2_000_000)
    assert found["cpu_ms_per_mb"] == dict.fromkeys(NAMES, 15_000.0)
    assert found["disk_bytes_per_byte"] == {"topics": 2.0, "tables": 0.0}
    assert costs(phase(), phase(), sent_bytes=0)["cpu_ms_per_mb"] == {}


def test_a_spread_is_ranked() -> None:
    assert spread([float(value) for value in range(200, 0, -1)]) == (101.0, 199.0, 200.0)
    assert spread([]) == (None, None, None)
