"""What this process is waiting for right now, so that `/readyz` and `status` can say it.

A process is one service, so this is one table for the process, as the metrics registry is. Clients of Kafka and
PostgreSQL write into it while a server is away; only the health endpoints read it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from core.backoff import Backoff

T = TypeVar("T")
logger = logging.getLogger(__name__)

# The first retry comes quickly because most waits are for a server that is just starting; 10 s is short enough that
# nobody restarts us out of impatience, and long enough to be no load for the server.
INITIAL_S = 0.1
MAX_S = 10.0
# A wait is logged when it begins and then this often, not at each try.
_REPEAT_LOG_S = 30.0

_waits: dict[object, tuple[str, float]] = {}


def reasons() -> list[str]:
    """Say what is waited for, and for how many seconds, longest wait first."""
    now = time.monotonic()
    return [f"waiting for {what} for {now - since:.0f} s" for what, since in sorted(_waits.values(), key=_by_age)]


def _by_age(wait: tuple[str, float]) -> float:
    return wait[1]


@contextmanager
def waiting_for(what: str) -> Iterator[None]:
    """Have `reasons` name `what` while the block runs."""
    key = object()
    _waits[key] = (what, time.monotonic())
    try:
        yield
    finally:
        del _waits[key]


async def until_it_works(
    what: str, attempt: Callable[[], Awaitable[T]], is_transient: Callable[[BaseException], bool]
) -> T:
    """Call `attempt` until it succeeds, with back-off; name `what` in the log and in `reasons` meanwhile.

    Cancelling it, as the lifecycle does when the process is to stop, ends the wait.

    Raises:
        Exception: what `attempt` raised, where `is_transient` says that waiting will not help.
    """
    try:
        return await attempt()
    except Exception as error:
        if not is_transient(error):
            raise
        first = error
    backoff = Backoff(INITIAL_S, MAX_S)
    began = logged = time.monotonic()
    logger.warning("waiting for %s: %s", what, brief(first))
    with waiting_for(what):
        while True:
            await asyncio.sleep(backoff.next_s())
            try:
                result = await attempt()
            except Exception as error:
                if not is_transient(error):
                    raise
                if time.monotonic() - logged >= _REPEAT_LOG_S:
                    logged = time.monotonic()
                    logger.warning("still waiting for %s after %.0f s: %s", what, logged - began, brief(error))
                continue
            logger.info("%s is there after %.1f s", what, time.monotonic() - began)
            return result


def brief(error: BaseException) -> str:
    """Say an error in one line, with its type, for a log or a status page."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}" if text else type(error).__name__
