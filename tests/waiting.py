"""Wait for what another task, process or server brings about, where nothing announces it."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable

LIMIT_S = 120.0
"""Far above what anything takes that is waited for: it only ends a test that would hang, before pytest ends it."""
POLL_S = 0.02
"""A question to a server of this machine costs a few milliseconds of a core."""


async def until(
    condition: Callable[[], object], what: str | Callable[[], str], limit_s: float = LIMIT_S, poll_s: float = POLL_S
) -> None:
    """Wait until a condition holds; one that is a coroutine function is awaited.

    Args:
        condition: holds when what it returns is true.
        what: is waited for, for the report of a test that fails; a function is asked for it then.
        limit_s: after which the test fails, also while the condition itself hangs.
        poll_s: between two looks.
    """
    try:
        async with asyncio.timeout(limit_s) as limit:
            while not await _found(condition):  # noqa: ASYNC110 - nothing announces it
                await asyncio.sleep(poll_s)
    except TimeoutError:
        if not limit.expired():
            raise
        raise AssertionError(_unseen(what, limit_s)) from None


def wait_until(
    condition: Callable[[], object], what: str | Callable[[], str], limit_s: float = LIMIT_S, poll_s: float = POLL_S
) -> None:
    """Wait as `until` does, in a test without a loop."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, _unseen(what, limit_s)
        time.sleep(poll_s)


async def _found(condition: Callable[[], object]) -> object:
    found = condition()
    return await found if inspect.isawaitable(found) else found


def _unseen(what: str | Callable[[], str], limit_s: float) -> str:
    return f"not seen within {limit_s:g} s: {what if isinstance(what, str) else what()}"
