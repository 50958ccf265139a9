"""Concurrent tasks: run until the first of several ends, or in the background of a block."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any


async def run_until_first(*work: Coroutine[Any, Any, object]) -> None:
    """Run coroutines at once until one returns or raises; the others are cancelled and waited for.

    Unlike a TaskGroup it also ends when one returns, and raises what one raised as it is. To work until an event is
    set, give `event.wait()` beside the work.

    Raises:
        Exception: what the first of them raised; of several at the same moment, the one named first.
    """
    tasks = [asyncio.create_task(each) for each in work]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for number in range(len(tasks)):
            if tasks[number].done():
                tasks[number].result()
    finally:
        await cancel(*tasks)
        # What one raised refers to this frame, and its task to what it raised: a cycle, and all that they hold with it.
        tasks.clear()


@asynccontextmanager
async def running(work: Coroutine[Any, Any, object]) -> AsyncIterator[None]:
    """Run a coroutine beside a block; at its end it is cancelled and waited for, and its exceptions are dropped."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        await cancel(task)


async def cancel(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks and wait until they have ended, however they do."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
