"""Retries with back-off, and what this process is waiting for (not ready), for `/readyz` and `status`.

A process is one service, so this is one table for the process, as the metrics registry is. Clients of Kafka and
PostgreSQL write into it while a server is away; only the health endpoints read it.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from operator import attrgetter
from typing import TypeVar

from core.backoff import Backoff

T = TypeVar("T")
logger = logging.getLogger(__name__)

# The first retry comes quickly because most waits are for a server that is just starting; 10 s is short enough that
# no operator restarts the process meanwhile, and long enough to be no load for the server.
INITIAL_S = 0.1
MAX_S = 10.0
# A wait is logged when it begins and then this often, not at each try.
_REPEAT_LOG_S = 30.0
# Work that goes well is no wait: a full batch is written within a second or two, and a sink that catches up does
# nothing else. A server that hangs is named after this long.
FIRST_TRY_S = 5.0


@dataclass(slots=True)
class _Wait:
    what: str
    since: float
    patience_s: float
    met: str = ""

    def is_told(self, now: float) -> bool:
        return bool(self.met) or now - self.since >= self.patience_s


_waits: dict[object, _Wait] = {}
_watched: dict[object, Callable[[], str | None]] = {}


def reasons() -> list[str]:
    """Describe what is waited for, for how many seconds, and the last error; longest wait first."""
    now = time.monotonic()
    waits = [
        f"waiting for {wait.what} for {now - wait.since:.0f} s" + (f": {wait.met}" if wait.met else "")
        for wait in sorted(_waits.values(), key=attrgetter("since"))
        if wait.is_told(now)
    ]
    return waits + [reason for reason in (ask() for ask in _watched.values()) if reason is not None]


def watch(ask: Callable[[], str | None]) -> Callable[[], None]:
    """Have `reasons` ask this too, until the returned function is called; it returns None while there is no wait."""
    key = object()
    _watched[key] = ask
    return lambda: _watched.pop(key, None) and None


@contextmanager
def waiting_for(what: str, *, patience_s: float = 0.0) -> Iterator[_Wait]:
    """Have `reasons` name `what` while the block runs, once something is noted as `met` or `patience_s` are over."""
    key = object()
    wait = _waits[key] = _Wait(what, time.monotonic(), patience_s)
    try:
        yield wait
    finally:
        del _waits[key]


async def until_it_works(
    what: str,
    attempt: Callable[[], Awaitable[T]],
    is_transient: Callable[[BaseException], bool],
    *,
    backoff: Backoff | None = None,
    patience_s: float = FIRST_TRY_S,
) -> T:
    """Call `attempt` until it succeeds, with back-off; name `what` in the log and in `reasons` once one has failed.

    A first try that takes long is named too.

    Cancelling it, as the lifecycle does when the process is to stop, ends the wait.

    Args:
        what: is named.
        attempt: to succeed.
        is_transient: whether waiting may help against what an attempt has raised.
        backoff: between two attempts; None: from `INITIAL_S` up to `MAX_S`.
        patience_s: after which the first attempt is named.

    Raises:
        Exception: what `attempt` raised, where `is_transient` says that waiting will not help.
    """
    backoff = backoff or Backoff(INITIAL_S, MAX_S)
    began = time.monotonic()
    logged: float | None = None
    with waiting_for(what, patience_s=patience_s) as wait:
        while True:
            try:
                result = await attempt()
            except Exception as error:
                if not is_transient(error):
                    raise
                now, wait.met = time.monotonic(), brief(error)
                if logged is None or now - logged >= _REPEAT_LOG_S:
                    logged = now
                    logger.warning("waiting for %s for %.1f s: %s", what, now - began, wait.met)
                await asyncio.sleep(backoff.next_s())
            else:
                if logged is not None:
                    logger.info("%s is available after %.1f s", what, time.monotonic() - began)
                return result


def brief(error: BaseException) -> str:
    """Format an error in one line, with its type, for a log or a status page."""
    if isinstance(error, socket.gaierror):
        return f"host name: {error.strerror}"
    kind = type(error).__name__
    text = " ".join(str(error).split()).removeprefix(f"{kind}: ")  # aiokafka's errors name themselves
    return f"{kind}: {text[:300]}" if text else kind
