"""A service inside the test's own loop, as its lifecycle runs it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from core.service import Service


@asynccontextmanager
async def running(service: Service) -> AsyncIterator[None]:
    """Start a service, run it beside the block, and stop and close it; what fails in it fails the test."""
    try:
        await service.start()
        work = asyncio.create_task(service.run())
        yield
        service.stopping.set()
        await work
        service.background.check()
        await service.drain()
    finally:
        await service.close()
