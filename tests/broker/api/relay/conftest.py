"""One archive for all questions to the relay, filled by a sink that goes on, and the service that serves it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.broker.api.served import Served, served_archive
from tests.broker.sinks.archived import AUTHORS, START_S, difficult, signed, some_events

if TYPE_CHECKING:
    from deploy.embedded.stack import Servers

MESSAGES = [
    signed(START_S + 100, 4, [["p", AUTHORS[1]]], "to 1", author=0),
    signed(START_S + 101, 4, [["p", AUTHORS[0]]], "to 0", author=1),
    signed(START_S + 102, 4, [["p", AUTHORS[3]]], "to 3", author=2),
    signed(START_S + 103, 1059, [["p", AUTHORS[1]]], "wrapped for 1", author=4),
    signed(START_S + 104, 1059, [["p", AUTHORS[0]]], "wrapped for 0", author=4),
]
"""Private events: whom they concern is known by their numbers."""
SAME_SECOND = [signed(START_S + 200, 7, [["e", "e" * 64], ["k", "1"]], f"+{number}") for number in range(12)]
VERSIONS = [signed(START_S + 300 + number, 10_002, [["r", f"wss://{number}.example"]], "") for number in range(3)]
PROTECTED = signed(START_S + 400, 1, [["-"], ["t", "plain"]], "protected")
EVENTS = [*some_events(250), *difficult(), *MESSAGES, *SAME_SECOND, *VERSIONS, PROTECTED]


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def served(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """The archive of all questions; a test that adds to it uses kinds of its own."""
    api = {"requests_per_minute": 60_000, "contact": "mailto:operator@example.com"}
    async with served_archive(servers, tmp_path_factory.mktemp("relay"), "relay", EVENTS, api=api) as made:
        yield made
