"""One archive for all clients that are not ours."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from api.connections.parts import PART_BYTES
from schemas.nostr.event import Event
from tests.broker.api.served import Served, served_archive
from tests.broker.sinks.archived import AUTHORS, START_S, signed

if TYPE_CHECKING:
    from deploy.embedded.stack import Servers

NOTES = [signed(START_S + number, 1, [["t", f"topic{number % 3}"]], f"note {number} é😀") for number in range(30)]
WRAPS = [signed(START_S + 50 + number, 1059, [["p", AUTHORS[number]]], "wrap", author=4) for number in range(2)]
"""For the authors of these numbers."""


def new_events(kind: int) -> list[Event]:
    """Some of a kind, one so large that it comes in four frames, of which one at least begins within a character."""
    contents = ["new 0", "é😀" * (PART_BYTES // 2), "new 2"]
    return [signed(START_S + number, kind, [], content) for number, content in enumerate(contents)]


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def served(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """The archive; a test that adds to it uses a kind of its own."""
    async with served_archive(servers, tmp_path_factory.mktemp("clients"), "clients", [*NOTES, *WRAPS]) as made:
        yield made
