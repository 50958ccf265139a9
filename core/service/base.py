"""The contract of a service: what one process of the pipeline does between start and drain.

`core.service.lifecycle` calls these in order, serves its health, and turns signals into `stopping`.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Mapping
from contextlib import AsyncExitStack
from typing import Any, ClassVar

from core.flag import Flag
from core.service.background import BackgroundTasks
from core.settings.model import Settings


class UndrainedError(RuntimeError):
    """A drain that gave up in time by itself: something is left to the next start, and the process ends with code 3."""


class Service(ABC):
    """One kind of process. Subclasses set `name` and implement `run`; the rest has sensible defaults.

    Construct it anywhere; open connections only in `start`, which runs on the service's event loop. `start` enters what
    it opens into `resources`, at once, and keeps it in attributes that are declared without a value: everything else is
    called only after `start` has returned, so that no attribute needs to be None before.
    """

    name: ClassVar[str]
    progress: ClassVar[Mapping[str, str]] = {}
    """What is logged once a minute: words for the log, and the metric of each. Counters are shown by what was added."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.stopping = Flag()
        """Set once the process is asked to stop: take no new work, return from `run`."""
        self.background = BackgroundTasks(self.stopping)
        """What `spawn` has started."""
        self.resources = AsyncExitStack()
        """What is closed at the end, last entered first, also after a failed or cancelled `start`.

        `core.service.closing.ConcurrentCloser` is the entry for clients that must not use up one another's time.
        """

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run something beside `run`, from `start` on if need be, until the service is closed.

        Its failure ends the process with exit code 1, whatever the service is doing then; so does its end, as long as
        the process is not to stop. Whatever must have ended before the drain does, `drain` awaits or cancels itself
        (`core.tasks.cancel`).
        """
        return self.background.spawn(work, name)

    async def start(self) -> None:  # noqa: B027 - a service without connections has nothing to open
        """Open connections, waiting for servers as long as it takes; cancelled when the process is to stop."""

    @abstractmethod
    async def run(self) -> None:
        """Work until `stopping` is set. Any exception is our own broken state: it ends the process with exit code 1."""

    async def drain(self) -> None:  # noqa: B027
        """Finish what was taken, and record it. `run` and `drain` together have `settings.drain_s` after a stop."""

    async def close(self) -> None:
        """Cancel the background tasks, then close `resources`; called exactly once, whatever came before."""
        try:
            await self.background.close()
        finally:
            await self.resources.aclose()

    def ready(self) -> str | None:
        """Return why the service cannot do its work now, or None when it can. Waits for servers are added by others."""
        return None

    def status(self) -> dict[str, object]:
        """Return the details of `/status`, as JSON-ready values; cheap, because it is called every second."""
        return {}

    def tick(self) -> None:  # noqa: B027
        """Refresh gauges and the like; called every second on the event loop. An exception here ends the process."""
