"""Topics for each test, and time-outs of a loopback instead of those of the internet."""

from __future__ import annotations

import pytest

from core.kafka.topics import create_topics
from core.settings import Settings


@pytest.fixture
async def quick(settings: Settings) -> Settings:
    """Settings with topics made, and a relay on this machine is silent after a second."""
    await create_topics(settings)
    connector = settings.connector.model_copy(
        update={"eose_timeout_s": 1.0, "eose_hold_s": 0.2, "connect_timeout_s": 5.0}
    )
    return settings.model_copy(update={"connector": connector})
