"""Topics for each test, drains that are quick to give up, and events that were signed once for all tests."""

from __future__ import annotations

import pytest

from core.kafka.topics import create_topics
from core.settings import Settings
from deploy.demo.events import generate
from tests.broker.processors.harness import Line, line


@pytest.fixture
def quick(settings: Settings) -> Settings:
    """Settings with short drains, and a group that gives a dead member up as soon as Kafka allows."""
    processor = settings.processor.model_copy(update={"drain_s": 2.0})
    kafka = settings.kafka.model_copy(update={"session_timeout_s": 6.0})
    return settings.model_copy(update={"processor": processor, "kafka": kafka, "drain_s": 4.0})


@pytest.fixture
async def ours(quick: Settings) -> Settings:
    """The same, with topics made."""
    await create_topics(quick)
    return quick


@pytest.fixture(scope="session")
def stream() -> list[Line]:
    """2,000 events, each from two relays, the second copy a while after the first."""
    events = generate(2_000, seed=5, base_time_s=1_700_000_000, workers=1)
    placed = [
        (number + relay * 100, line(event.id, event.wire, f"wss://r{relay}.example", 1_700_000_000_000 + number // 10))
        for number, event in enumerate(events)
        for relay in range(2)
    ]
    placed.sort(key=lambda pair: pair[0])
    return [made for _, made in placed]
