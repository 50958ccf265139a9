"""A name server on the loopback (RFC 1035, UDP only): answers, denies, and keeps silent as a test tells it to."""

from __future__ import annotations

import asyncio
import struct
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address

_HEADER = struct.Struct("!6H")  # id, flags, and the numbers of questions, answers, authorities and additional records
_ANSWER = 0x8180  # a response, with recursion
_NO_SUCH_NAME = 3
_SERVER_FAILURE = 2
_A, _AAAA = 1, 28
_NAME_OF_QUESTION = 0xC00C  # a pointer to what follows the header


class NameServer(asyncio.DatagramProtocol):
    """Knows the names of `answers`; every other one does not exist.

    Attributes:
        answers: addresses by name, or by `*.domain` for all names under one.
        silent: names, or `*.domain`, whose questions are kept, unanswered.
        failing: names that are answered with SERVFAIL.
        ttl_s: of every address; 0, unless a test sets it, so that each look-up asks.
        asked: how often each name was asked for, both families together.
    """

    def __init__(self, answers: dict[str, list[str]], silent: set[str]) -> None:
        self.answers = answers
        self.silent = silent
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
        asked_type = int.from_bytes(question[-4:-2])
        found = self.answers.get(name, self.answers.get(wildcard))
        code = _SERVER_FAILURE if name in self.failing else _NO_SUCH_NAME if found is None else 0
        addresses = list(map(ip_address, found or []))
        version = {_A: 4, _AAAA: 6}.get(asked_type)
        records = [
            struct.pack("!HHHIH", _NAME_OF_QUESTION, asked_type, 1, self.ttl_s, len(address.packed)) + address.packed
            for address in addresses
            if address.version == version and not code
        ]
        header = _HEADER.pack(int.from_bytes(data[:2]), _ANSWER | code, 1, len(records), 0, 0)
        return header + question + b"".join(records)


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
