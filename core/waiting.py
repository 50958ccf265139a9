"""Retries with back-off, and what this process is waiting for (not ready), for `/readyz` and `status`.

A process is one service, so this is one table for the process, as the metrics registry is. Clients of Kafka and
PostgreSQL write into it while a server is away; only the health endpoints read it.

Services wait without end. A command gives up after a time, inside of `giving_up_after`.
"""

from __future__ import annotations

import asyncio
import logging
import math
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
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
# When the time is up there is a last try, and a server that is there answers it sooner than this.
_LAST_TRY_S = 1.0

_limit_s: ContextVar[float | None] = ContextVar("limit_s", default=None)
_is_named: ContextVar[bool] = ContextVar("is_named", default=True)


class ServerAwayError(Exception):
    """A server has not answered for as long as this process waits for one.

    Args:
        what: was waited for.
        waited_s: for so long at least.
        met: the last error; empty where there was no answer at all.
        setting: group and key of the setting that holds the server's address, where it is one server.
    """

    def __init__(self, what: str, waited_s: float, met: str, setting: tuple[str, str] | None) -> None:
        super().__init__(f"{what} has not answered within {waited_s:g} s{f' ({met})' if met else ''}")
        self.setting = setting


@contextmanager
def giving_up_after(limit_s: float | None) -> Iterator[None]:
    """Have every wait for a server that begins in the block end with ServerAwayError after `limit_s`; None: none."""
    token = _limit_s.set(limit_s)
    try:
        yield
    finally:
        _limit_s.reset(token)


@contextmanager
def named_nowhere() -> Iterator[None]:
    """Leave waits that begin in the block out of `reasons`: the process does its work meanwhile. The log has them."""
    token = _is_named.set(False)
    try:
        yield
    finally:
        _is_named.reset(token)


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
    wait = _Wait(what, time.monotonic(), patience_s)
    if _is_named.get():
        _waits[key] = wait
    try:
        yield wait
    finally:
        _waits.pop(key, None)


def check_silence(what: str, heard_at: float, setting: tuple[str, str] | None = None) -> None:
    """Look whether a server that must have something for us was last heard of within the limit, if there is one.

    Args:
        what: is waited for.
        heard_at: of `time.monotonic`.
        setting: as for `until_it_works`.

    Raises:
        ServerAwayError: it has been silent for longer than `giving_up_after` allows.
    """
    limit_s = _limit_s.get()
    if limit_s is not None and time.monotonic() - heard_at > limit_s:
        raise ServerAwayError(what, limit_s, "", setting)


class _Limit:
    """How long a wait may take.

    Args:
        limit_s: None: without end.
        since: of `time.monotonic`; None: from the first failure on.
    """

    def __init__(self, limit_s: float | None, since: float | None) -> None:
        self.limit_s = limit_s
        self._since = since
        self._cuts = limit_s is not None and since is not None

    def failed(self, now: float) -> None:
        if self._since is None:
            self._since = now

    def left_s(self, now: float) -> float:
        if self.limit_s is None or self._since is None:
            return math.inf
        return self._since + self.limit_s - now

    def try_s(self) -> float | None:
        """How long the next attempt may take; None: as long as it takes."""
        if self.limit_s is None or not self._cuts:
            return None
        return max(min(_LAST_TRY_S, self.limit_s), self.left_s(time.monotonic()))


async def until_it_works(
    what: str,
    attempt: Callable[[], Awaitable[T]],
    is_transient: Callable[[BaseException], bool],
    *,
    backoff: Backoff | None = None,
    patience_s: float = FIRST_TRY_S,
    connects: bool = False,
    setting: tuple[str, str] | None = None,
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
        connects: whether all that an attempt does is to connect. Then the limit of `giving_up_after` counts from the
            beginning, and one that hangs is cut off. Of other work it counts from the first failure.
        setting: group and key of the setting that holds the server's address, for ServerAwayError.

    Raises:
        Exception: what `attempt` raised, where `is_transient` says that waiting will not help.
        ServerAwayError: it took longer than `giving_up_after` allows.
    """
    backoff = backoff or Backoff(INITIAL_S, MAX_S)
    began = time.monotonic()
    limit = _Limit(_limit_s.get(), began if connects else None)
    logged: float | None = None
    with waiting_for(what, patience_s=patience_s) as wait:
        while True:
            try:
                async with asyncio.timeout(limit.try_s()) as cut:
                    result = await attempt()
            except Exception as error:
                now = time.monotonic()
                if not cut.expired():
                    if not is_transient(error):
                        raise
                    wait.met = brief(error)
                limit.failed(now)
                if limit.limit_s is not None and limit.left_s(now) <= 0:
                    raise ServerAwayError(what, limit.limit_s, wait.met, setting) from error
                if logged is None or now - logged >= _REPEAT_LOG_S:
                    logged = now
                    logger.warning("waiting for %s for %.1f s: %s", what, now - began, wait.met)
                await asyncio.sleep(min(backoff.next_s(), limit.left_s(now)))
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
