"""How long a service takes to say that it lives, asked as a supervisor asks."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

import aiohttp

from tests.pipeline.services import Services

_EVERY_S = 0.5
_TIMEOUT_S = 10.0
"""As long as supervisors wait by default, generously; an answer after that is none."""


@dataclass
class HealthProbe:
    """Asks one service. `latencies_s` has every question, `failed` counts those that had no good answer in time."""

    services: Services
    name: str
    latencies_s: list[float] = field(default_factory=list)
    failed: int = 0

    async def run(self) -> None:
        """Ask until cancelled, each time over a connection of its own."""
        connector = aiohttp.TCPConnector(force_close=True)
        async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(_TIMEOUT_S)) as session:
            while True:
                began = time.monotonic()
                try:
                    async with session.get(f"{self.services.url(self.name)}/healthz") as answer:
                        self.failed += not answer.ok
                except (OSError, ValueError, aiohttp.ClientError, TimeoutError):
                    self.failed += 1
                finally:
                    # Also of the last question, which is cancelled: it may have waited for long.
                    self.latencies_s.append(time.monotonic() - began)
                await asyncio.sleep(max(0.0, began + _EVERY_S - time.monotonic()))
