"""Looks names up so that a slow name server costs the names of its own domain only.

A name server that never answers holds each look-up until its time-out. Few are in flight for one registrable domain, so
that no owner of names can take all places; the others of that domain wait for their turn, as long as their caller does.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from core.clock import boot_ns
from core.tasks import cancel, first_of
from producers.addresses.dns_client import DnsClient
from producers.addresses.last_addresses import LastAddresses
from schemas.relay_urls.registrable_domain import registrable_domain

LOOK_UP_S = 5.0
"""A recursive name server needs two or three for a name that it does not know, where one of its servers is down."""
MOST_OF_DOMAIN = 4
"""In flight for one registrable domain: 150 relays of one that answers in 50 ms are looked up in 2 s."""
MOST = 256
"""In flight in all: with `MOST_OF_DOMAIN`, 64 domains must be slow before others wait, and then for `LOOK_UP_S`."""


@dataclass(slots=True, eq=False)
class _LookUp:
    task: asyncio.Task[list[str]]
    callers: int = 0


@dataclass(slots=True, eq=False)
class _Domain:
    places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MOST_OF_DOMAIN))
    names: int = 0


class Resolver:
    """Gives the addresses of names; callers that ask for the same name at once share one look-up.

    All that it keeps is bounded: names that wait by their callers, names in flight and names remembered by constants.
    """

    def __init__(
        self,
        ask: Callable[[str], Awaitable[list[str]]],
        timeout_s: float = LOOK_UP_S,
        *,
        now_ns: Callable[[], int] = boot_ns,
    ) -> None:
        """Prepare for a running loop.

        Args:
            ask: as `DnsClient.addresses`.
            timeout_s: for one look-up once it has its turn.
            now_ns: a clock that is never set.
        """
        self._ask = ask
        self._timeout_s = timeout_s
        self._places = asyncio.Semaphore(MOST)
        self._domains: dict[str, _Domain] = {}
        self._waiting: dict[str, _LookUp] = {}
        self._in_flight: dict[str, _LookUp] = {}
        self._last = LastAddresses(now_ns)

    async def addresses(self, host: str) -> list[str]:
        """Look a name up. After a time-out, and only then, the addresses of the last time serve, for a day.

        A name that has such addresses waits no longer for its turn than a look-up may take.

        Raises:
            socket.gaierror: the name does not resolve, or not in time.
        """
        look_up = self._shared(host)
        look_up.callers += 1
        try:
            in_time = await first_of(look_up.task, timeout_s=self._timeout_s if self._last.get(host) else None)
        finally:
            look_up.callers -= 1
            if not look_up.callers and self._waiting.get(host) is look_up:
                del self._waiting[host]
                look_up.task.cancel()
        if in_time:
            if look_up.task.cancelled():
                raise socket.gaierror(socket.EAI_FAIL, "the resolver is closed")
            if not isinstance(look_up.task.exception(), TimeoutError):
                return look_up.task.result()
        if last := self._last.get(host):
            return last
        raise socket.gaierror(socket.EAI_AGAIN, f"no answer from the name servers within {self._timeout_s:g} s")

    async def close(self) -> None:
        """End all look-ups; those who wait for one are told so."""
        await cancel(*(each.task for each in [*self._waiting.values(), *self._in_flight.values()]))

    def _shared(self, host: str) -> _LookUp:
        look_up = self._in_flight.get(host) or self._waiting.get(host)
        if look_up is None:
            look_up = self._waiting[host] = _LookUp(asyncio.create_task(self._look_up(host)))
            look_up.task.add_done_callback(partial(self._ended, host))
        return look_up

    async def _look_up(self, host: str) -> list[str]:
        async with self._turn(registrable_domain(host)):
            # From here on it keeps its places until it has ended, even if nothing waits for it any more: it is asked.
            self._in_flight[host] = self._waiting.pop(host)
            try:
                async with asyncio.timeout(self._timeout_s):
                    found = await self._ask(host)
            except socket.gaierror as error:
                if error.errno == socket.EAI_NONAME:
                    self._last.forget(host)
                raise
        self._last.put(host, found)
        return found

    def _ended(self, host: str, task: asyncio.Task[list[str]]) -> None:
        for names in (self._waiting, self._in_flight):
            if host in names and names[host].task is task:
                del names[host]
        if not task.cancelled():
            task.exception()  # all who asked may have gone

    @asynccontextmanager
    async def _turn(self, domain: str) -> AsyncIterator[None]:
        its = self._domains.setdefault(domain, _Domain())
        its.names += 1
        try:
            # In this order: who waits for its domain holds no place that others could use.
            async with its.places, self._places:
                yield
        finally:
            its.names -= 1
            if not its.names:
                del self._domains[domain]


@asynccontextmanager
async def open_resolver(nameservers: Sequence[str] = (), timeout_s: float = LOOK_UP_S) -> AsyncIterator[Resolver]:
    """Look names up with these name servers, or with the system's, until the block ends."""
    client = DnsClient(nameservers)
    resolver = Resolver(client.addresses, timeout_s)
    try:
        yield resolver
    finally:
        await resolver.close()
        await client.close()
