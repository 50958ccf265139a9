"""Work that belongs together: it ends when the first part of it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


async def run_together(*work: Coroutine[Any, Any, object]) -> None:
    """Run coroutines at once until one returns or raises; the others are cancelled and waited for.

    Unlike a TaskGroup it also ends when one returns, and raises what one raised as it is.

    Raises:
        Exception: what the first of them raised; of several at the same moment, the one named first.
    """
    tasks = [asyncio.create_task(each) for each in work]
    try:
        ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task in ended:
                task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
