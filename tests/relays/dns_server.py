"""A name server on the loopback (RFC 1035, UDP only): answers, denies, and keeps silent as a test tells it to."""

from __future__ import annotations

import asyncio
import struct
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from ipaddress import ip_address

_HEADER = struct.Struct("!6H")  # id, flags, and the numbers of questions, answers, authorities and additional records
_ANSWER = 0x8180  # a response, with recursion
_NO_SUCH_NAME = 3
_SERVER_FAILURE = 2
_A, _NS, _CNAME, _AAAA = 1, 2, 5, 28
_NAME_OF_QUESTION = b"\xc0\x0c"  # a pointer to what follows the header


class NameServer(asyncio.DatagramProtocol):
    """Knows the names of `answers`; every other one does not exist.

    Attributes:
        answers: addresses by name, or by `*.domain` for all names under one.
        aliases: the name that another one stands for, whose addresses are sent along, as a recursive server does.
        servers: name servers by domain.
        silent: names, or `*.domain`, whose questions are kept, unanswered.
        failing: names that are answered with SERVFAIL.
        odd: whole answers by name, sent after the number of the question; a test makes them wrong.
        ttl_s: of every record; 0, unless a test sets it, so that each look-up asks.
        asked: how often each name was asked for, both families together.
    """

    def __init__(self, answers: dict[str, list[str]], silent: set[str]) -> None:
        self.answers = answers
        self.silent = silent
        self.aliases: dict[str, str] = {}
        self.servers: dict[str, list[str]] = {}
        self.odd: dict[str, bytes] = {}
        self.failing: set[str] = set()
        self.ttl_s = 0
        self.asked: Counter[str] = Counter()
        self.address = ""
        self._kept: list[tuple[bytes, tuple[str, int]]] = []
        self._transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport
        host, port = transport.get_extra_info("sockname")
        self.address = f"{host}:{port}"

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.asked[name_in(data)] += 1
        self._answer(data, addr)

    def speak(self) -> None:
        """Answer from now on, and what was asked in silence."""
        self.silent.clear()
        kept, self._kept = self._kept, []
        for data, addr in kept:
            self._answer(data, addr)

    def _answer(self, data: bytes, addr: tuple[str, int]) -> None:
        name = name_in(data)
        wildcard = f"*.{name.partition('.')[2]}"
        if {name, wildcard} & self.silent:
            self._kept.append((data, addr))
        else:
            self._transport.sendto(self._response(data, name, wildcard), addr)

    def _response(self, data: bytes, name: str, wildcard: str) -> bytes:
        end = data.index(0, _HEADER.size) + 5  # the name's end, type and class
        question = data[_HEADER.size : end]
        if name in self.odd:
            return data[:2] + self.odd[name]
        asked_type = int.from_bytes(question[-4:-2])
        failed = name in self.failing
        known = {*self.answers, *self.aliases, *self.servers}
        code = _SERVER_FAILURE if failed else 0 if known & {name, wildcard} else _NO_SUCH_NAME
        records = [] if failed else list(self._records(name, wildcard, asked_type))
        header = _HEADER.pack(int.from_bytes(data[:2]), _ANSWER | code, 1, len(records), 0, 0)
        return header + question + b"".join(records)

    def _records(self, name: str, wildcard: str, asked_type: int) -> Iterator[bytes]:
        end = self.aliases.get(name, name)
        owner = _NAME_OF_QUESTION
        if end != name and asked_type in (_A, _AAAA, _CNAME):
            yield self._record(owner, _CNAME, wire_name(end))
            owner = wire_name(end)
        if asked_type == _NS:
            yield from (self._record(owner, _NS, wire_name(server)) for server in self.servers.get(name, []))
        version = {_A: 4, _AAAA: 6}.get(asked_type)
        for address in map(ip_address, self.answers.get(end, self.answers.get(wildcard, []))):
            if address.version == version:
                yield self._record(owner, asked_type, address.packed)

    def _record(self, owner: bytes, kind: int, data: bytes) -> bytes:
        return owner + struct.pack("!HHIH", kind, 1, self.ttl_s, len(data)) + data


def wire_name(name: str) -> bytes:
    """A name as it stands in a message, uncompressed."""
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def name_in(data: bytes) -> str:
    """The name that a query asks for."""
    labels, place = [], _HEADER.size
    while length := data[place]:
        labels.append(data[place + 1 : place + 1 + length].decode().lower())
        place += 1 + length
    return ".".join(labels)


@asynccontextmanager
async def name_server(
    answers: dict[str, list[str]] | None = None, silent: set[str] | None = None
) -> AsyncIterator[NameServer]:
    """Run a name server on a free loopback port."""
    transport, server = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: NameServer(answers or {}, silent or set()), local_addr=("127.0.0.1", 0)
    )
    try:
        yield server
    finally:
        transport.close()
