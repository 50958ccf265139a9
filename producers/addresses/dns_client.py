"""Asks name servers for the addresses of a name, through aiodns (c-ares): the hosts file first, then A and AAAA.

Their order is that of RFC 6724: an address that this host has no route to comes last. What the name servers say by
themselves, with the time that it holds, is had as records.
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeVar

from aiodns import DNSResolver
from aiodns.error import ARES_ENODATA, ARES_ENOTFOUND, ARES_ETIMEOUT, DNSError

_TRY_S = 1.0
"""Until a question is sent again. c-ares learns from the answers of a server, and then sends from 250 ms on."""
TRIES = 5
"""Each waits up to twice as long as the one before: from 250 ms on, five take 4 s to 8 s, the time of a look-up."""
_LOOK_UPS_OF_CHANNEL = 100
"""c-ares keeps each answer for its TTL, up to an hour, without a bound. An answer of 4,000 addresses is 450 KB."""


T = TypeVar("T")
RecordKind = Literal["A", "AAAA", "CNAME", "NS"]
_MEMBERS: dict[int, tuple[RecordKind, str]] = {
    1: ("A", "addr"),
    2: ("NS", "nsdname"),
    5: ("CNAME", "cname"),
    28: ("AAAA", "addr"),
}
"""By type (RFC 1035, RFC 3596): the kind, and where aiodns has its value."""


class DnsRecord(NamedTuple):
    """A record of an answer: an address, or a name as the name server spells it."""

    kind: RecordKind
    value: str
    ttl_s: int


@dataclass(slots=True, eq=False)
class _Channel:
    resolver: DNSResolver
    begun: int = 0
    pending: int = 0


class DnsClient:
    """Asks; how much at once and for how long is decided by its caller.

    A channel of c-ares cannot drop a question or an answer by itself, so it is replaced by a new one after 100
    look-ups, and closed once the last of them has ended.
    """

    def __init__(self, nameservers: Sequence[str] = (), *, tries: int = TRIES) -> None:
        """Prepare for a running loop.

        Args:
            nameservers: addresses, each with `:port` or without; none: the system's.
            tries: how often a name server is asked.
        """
        self._nameservers = nameservers
        self._tries = tries
        self._channels: list[_Channel] = []
        self._closed = False

    async def addresses(self, host: str) -> list[str]:
        """Ask for the addresses of a name, IPv4 and IPv6.

        Raises:
            TimeoutError: no name server has answered.
            socket.gaierror: EAI_NONAME if there is no such name or it has no address, else EAI_FAIL.
        """
        answer = await self._ask(lambda resolver: resolver.getaddrinfo(host, type=socket.SOCK_STREAM))
        return list(dict.fromkeys(node.addr[0].decode() for node in answer.nodes))

    async def records(self, host: str, kind: RecordKind) -> list[DnsRecord]:
        """Ask for the records of a name, without the hosts file. The answer holds aliases on the way (CNAME) too.

        Raises:
            TimeoutError: no name server has answered.
            socket.gaierror: EAI_NONAME if there is no such name or it has no such record, else EAI_FAIL.
        """
        answer = await self._ask(lambda resolver: resolver.query_dns(host, kind))
        found = ((each, *_MEMBERS[each.type]) for each in answer.answer if each.type in _MEMBERS)
        return [DnsRecord(kind, getattr(each.data, member), each.ttl) for each, kind, member in found]

    async def close(self) -> None:
        """Drop what is asked; it is not waited for."""
        self._closed = True
        for channel in self._channels:
            await channel.resolver.close()
        self._channels.clear()

    async def _ask(self, question: Callable[[DNSResolver], Awaitable[T]]) -> T:
        channel = self._current()
        channel.begun += 1
        channel.pending += 1
        try:
            return await question(channel.resolver)
        except DNSError as error:
            number, text = error.args
            if number == ARES_ETIMEOUT:
                raise TimeoutError(text) from error
            absent = number in (ARES_ENOTFOUND, ARES_ENODATA)
            raise socket.gaierror(socket.EAI_NONAME if absent else socket.EAI_FAIL, text) from error
        finally:
            channel.pending -= 1
            if channel.begun >= _LOOK_UPS_OF_CHANNEL and not channel.pending and not self._closed:
                self._channels.remove(channel)
                await channel.resolver.close()

    def _current(self) -> _Channel:
        if self._closed:
            raise socket.gaierror(socket.EAI_FAIL, "the resolver is closed")
        if not self._channels or self._channels[-1].begun >= _LOOK_UPS_OF_CHANNEL:
            self._channels.append(_Channel(DNSResolver(self._nameservers, timeout=_TRY_S, tries=self._tries)))
        return self._channels[-1]
