"""One browser and one archive for all tests of pages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from tests.broker.api.browser.visiting import Visit, browsing, visiting
from tests.broker.api.served import Served, served_archive
from tests.broker.sinks.archived import some_events

if TYPE_CHECKING:
    from playwright.async_api import Browser

    from deploy.embedded.stack import Servers

EVENTS = some_events(50)


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def browser() -> AsyncIterator[Browser]:
    """The browser, which is looked for before anything else is started."""
    async with browsing() as started:
        yield started


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def served(browser: Browser, servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Served]:
    """The archive; a test that adds to it uses a kind of its own."""
    async with served_archive(servers, tmp_path_factory.mktemp("browser"), "browser", EVENTS) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="package")
async def visit(browser: Browser) -> AsyncIterator[Visit]:
    """A page of the test's own."""
    async with visiting(browser) as opened:
        yield opened
