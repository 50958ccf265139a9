"""Names become addresses here, and only here: what is connected to is exactly what was judged.

A relay URL comes from strangers. Its host may resolve to a private address, now or at the second look-up, so the
addresses are judged after resolving and the socket is opened to one of them, never to the name.
"""

from __future__ import annotations

import asyncio
import functools
import queue
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

from schemas.relay_urls.relay_url import is_private_address

_RESOLVER_THREADS = 16
"""A dead name server holds a thread for up to half a minute; the loop's own pool is for others."""
MAX_ADDRESSES = 4
"""Tried in turn within one connection time-out: two of each family are what hosts have."""


class _DaemonThreads(Executor):
    """Like ThreadPoolExecutor, for whose threads a process waits at its end: a drained one would not end in time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._started = 0
        self._work: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = queue.SimpleQueue()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Queue a call."""
        future: Future[Any] = Future()
        self._work.put((future, functools.partial(fn, *args, **kwargs)))
        if self._started < self._most:
            self._started += 1
            threading.Thread(target=self._run, name="resolver", daemon=True).start()
        return future

    def _run(self) -> None:
        while True:
            future, call = self._work.get()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = call()
            except BaseException as error:  # noqa: BLE001 - handed to the caller that waits
                future.set_exception(error)
            else:
                future.set_result(result)


_resolver = _DaemonThreads(_RESOLVER_THREADS)


class AddressRefusedError(Exception):
    """Every address of a host is one that strangers must not make us connect to."""


def resolve(host: str, port: int) -> list[str]:
    """Ask the host's resolver for the addresses of a name; blocks, for half a minute where a name server is dead."""
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    # An address with a zone (`fe80::1%eth0`) is link-local and judged without it.
    return list(dict.fromkeys(str(answer[4][0]).partition("%")[0] for answer in answers))


async def allowed_addresses(
    host: str, port: int, *, allow_private: bool, resolve: Callable[[str, int], list[str]] = resolve
) -> list[str]:
    """Resolve a host and keep the addresses that may be connected to, in the resolver's order.

    Args:
        host: a name or a literal address.
        port: only handed on to the resolver.
        allow_private: the operator's own relay: loopback and private addresses too.
        resolve: may block; it runs in a thread.

    Raises:
        AddressRefusedError: there are addresses, and none is public.
        OSError: the name does not resolve.
    """
    loop = asyncio.get_running_loop()
    found = await loop.run_in_executor(_resolver, resolve, host, port)
    allowed = [address for address in found if allow_private or not is_private_address(address)]
    if not allowed:
        raise AddressRefusedError(
            f"{host} resolves to {', '.join(found)}, no public address; set allow_private to connect to it"
        )
    return allowed[:MAX_ADDRESSES]
