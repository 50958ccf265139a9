"""A browser that this machine has, and what a page in it does beside what a test looks at."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

VARIABLE = "BIGBROTR_TEST_BROWSER"
"""Names the program of a browser that is not on the PATH."""
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
OFF_THE_NETWORK = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--no-first-run",
)
"""It asks for what a test opens, and for nothing of its own; no name has an address."""
PATIENCE_MS = 60_000
"""For anything to appear on a page: a busy machine takes seconds."""


class Visit(NamedTuple):
    """A page, which is empty at first.

    Attributes:
        page: it.
        troubles: errors of its scripts, and what the console tells: violations of its Content-Security-Policy, too.
        origins: to which it made requests.
    """

    page: Page
    troubles: list[str]
    origins: set[str]


def program() -> str:
    """The browser's program; without one the test is left out."""
    given = os.environ.get(VARIABLE)
    found = given or next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(
            f"no browser: install Chromium (apt-get install chromium), or name one by {VARIABLE}=/path/to/chrome"
        )
    return found


@asynccontextmanager
async def browsing() -> AsyncIterator[Browser]:
    """Run the browser, without a window, with a profile of its own that is empty."""
    executable = program()
    from playwright.async_api import async_playwright  # noqa: PLC0415 - it takes a second, and few runs need it

    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=executable, args=OFF_THE_NETWORK)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def visiting(browser: Browser) -> AsyncIterator[Visit]:
    """Open an empty page, which shares nothing with other ones."""
    context = await browser.new_context()
    context.set_default_timeout(PATIENCE_MS)
    page = await context.new_page()
    visit = Visit(page, [], set())
    page.on("pageerror", lambda error: visit.troubles.append(str(error)))
    page.on("console", lambda line: visit.troubles.append(line.text) if line.type in {"error", "warning"} else None)
    page.on("request", lambda request: visit.origins.add(origin(request.url)))
    try:
        yield visit
    finally:
        await context.close()


def origin(url: str) -> str:
    """The origin of an address; of `data:` and the like, which need no request, the scheme alone."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else f"{parts.scheme}:"
