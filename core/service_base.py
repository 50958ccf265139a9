"""The contract of a service: what one process of the pipeline does between start and drain.

`core.lifecycle` calls these in order, serves its health, and turns signals into `stopping`.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import ClassVar

from core.settings_model import Settings


class UndrainedError(RuntimeError):
    """A drain that gave up in time by itself: something is left to the next start, and the process ends with code 3."""


class Service(ABC):
    """One kind of process. Subclasses set `name` and implement `run`; the rest has sensible defaults.

    Construct it anywhere; open connections only in `start`, which runs on the service's event loop.
    """

    name: ClassVar[str]

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.stopping = asyncio.Event()
        """Set once the process is asked to stop: take no new work, return from `run`."""

    async def start(self) -> None:  # noqa: B027 - a service without connections has nothing to open
        """Open connections, waiting for servers as long as it takes; cancelled when the process is to stop."""

    @abstractmethod
    async def run(self) -> None:
        """Work until `stopping` is set. Any exception is our own broken state: it ends the process with exit code 1."""

    async def drain(self) -> None:  # noqa: B027
        """Finish what was taken, and record it. `run` and `drain` together have `settings.drain_s` after a stop."""

    async def close(self) -> None:  # noqa: B027
        """Close connections; called exactly once, also after a failed or cancelled `start`, and after a crash."""

    def ready(self) -> str | None:
        """Say why the service cannot do its work now, or None when it can. Waits for servers are added by others."""
        return None

    def status(self) -> dict[str, object]:
        """Tell what a person wants to see, as JSON-ready values; cheap, because it is asked for every second."""
        return {}

    def tick(self) -> None:  # noqa: B027
        """Refresh gauges and the like; called every second on the event loop. An exception here ends the process."""
