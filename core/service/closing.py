"""Closes several resources concurrently, where each may use up its time because its server is away."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import ParamSpec, Self

P = ParamSpec("P")


class ConcurrentCloser(AbstractAsyncContextManager["ConcurrentCloser"]):
    """An entry of an `AsyncExitStack` that stands for several: its callbacks run concurrently.

    Use it for the clients of servers. One after the other, two that are cut off after 4 s each would take longer than a
    process has for closing.
    """

    def __init__(self) -> None:
        """Begin without callbacks."""
        self._callbacks: list[Callable[[], Awaitable[object]]] = []

    def push(self, callback: Callable[P, Awaitable[object]], *args: P.args, **kwargs: P.kwargs) -> None:
        """Have this awaited at the end, together with all the others."""
        self._callbacks.append(lambda: callback(*args, **kwargs))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Await all callbacks, each to its end, whatever the others do.

        Raises:
            BaseExceptionGroup: of what they raised.
        """
        callbacks, self._callbacks = self._callbacks, []
        ends = await asyncio.gather(*(callback() for callback in callbacks), return_exceptions=True)
        if errors := [end for end in ends if isinstance(end, BaseException)]:
            raise BaseExceptionGroup("closing failed", errors)
