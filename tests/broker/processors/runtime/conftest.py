"""The suite of losses, once for every handler."""

from __future__ import annotations

import pytest

from core.settings import Settings
from tests.broker.processors.harness import Line
from tests.broker.processors.runtime.cases import Case, TwoTopics, Validation


@pytest.fixture(params=["validate", "two topics"])
async def case(request: pytest.FixtureRequest, quick: Settings, stream: list[Line]) -> Case:
    """A handler with its topics made."""
    made = Validation(quick, stream) if request.param == Validation.name else TwoTopics(quick)
    await made.create_topics()
    return made
