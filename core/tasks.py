"""Concurrent tasks: run until the first of several ends, wait for the first, run in the background, or be cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from core.flag import Flag


def is_being_cancelled() -> bool:
    """Whether this task was cancelled, so that a CancelledError is meant for it: aiokafka raises some of its own."""
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


async def run_until_first(*work: Coroutine[Any, Any, object]) -> None:
    """Run coroutines at once until one returns or raises; the others are cancelled and waited for.

    Unlike a TaskGroup it also ends when one returns, and raises what one raised as it is. To work until an event is
    set, give `event.wait()` beside the work.

    Raises:
        Exception: what the first of them raised; of several at the same moment, the one named first.
    """
    tasks = [asyncio.create_task(each) for each in work]
    try:
        await first_of(*tasks)
        for number in range(len(tasks)):
            if tasks[number].done():
                tasks[number].result()
    finally:
        await cancel(*tasks)
        # What one raised refers to this frame, and its task to what it raised: a cycle, and all that they hold with it.
        tasks.clear()


async def first_of(*waited: asyncio.Future[Any] | Flag, timeout_s: float | None = None) -> bool:
    """Wait until one of several tasks or futures is done, or one of several flags set; False if none was in time.

    Unlike `run_until_first` it leaves them all as they are: a task goes on, and what it raised is still to be asked.
    """
    loop = asyncio.get_running_loop()
    # One future for all of it, without a task for each flag: thousands of relays wait so most of the time.
    first: asyncio.Future[bool] = loop.create_future()

    def end(*_: object, in_time: bool = True) -> None:
        if not first.done():
            first.set_result(in_time)

    for each in waited:
        if isinstance(each, Flag):
            each.attach(first)
        elif each.done():
            end()
        else:
            each.add_done_callback(end)
    timer = loop.call_later(timeout_s, partial(end, in_time=False)) if timeout_s is not None else None
    try:
        return await first
    finally:
        if timer is not None:
            timer.cancel()
        for each in waited:
            if isinstance(each, Flag):
                each.detach(first)
            else:
                each.remove_done_callback(end)


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
