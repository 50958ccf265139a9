"""Supervised background tasks of a service: one that ends early ends the process, and none outlives the service."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from core.errors import OperatorError
from core.flag import Flag
from core.settings.errors import SettingsError
from core.tasks import cancel

logger = logging.getLogger(__name__)


class BackgroundTasks:
    """Tasks that are to work until the service stops.

    Before `stopping` is set, any end of a task is a failure: an exception, a return, and a cancellation, which client
    libraries are known to leak. From then on only an exception is one.
    """

    def __init__(self, stopping: Flag) -> None:
        """Begin without tasks; may be called before an event loop runs."""
        self.failed = Flag()
        """Set once a task has failed."""
        self._stopping = stopping
        self._error: BaseException | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = False

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Start a task; `name` is what an error calls it."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def check(self) -> None:
        """Raise what the first failed task raised, if one has failed."""
        if self._error is not None:
            raise self._error

    async def close(self) -> None:
        """Cancel every task and wait until each has ended; what one raises meanwhile is logged."""
        self._closing = True
        await cancel(*self._tasks)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = self._failure_of(task)
        if error is None:
            return
        if self._closing or self._error is not None:
            trace = None if isinstance(error, SettingsError | OperatorError) else error
            logger.error("the background task %s failed: %s", task.get_name(), error, exc_info=trace)
            return
        error.add_note(f"in the background task {task.get_name()}")
        self._error = error
        self.failed.set()

    def _failure_of(self, task: asyncio.Task[None]) -> BaseException | None:
        if not task.cancelled() and (error := task.exception()) is not None:
            return error
        if self._closing or self._stopping.is_set():
            return None
        return RuntimeError("it was cancelled by something else" if task.cancelled() else "it ended by itself")
