"""Clients that mean harm: each attack is some requests at once, and ends by itself within seconds."""

from __future__ import annotations

import asyncio
import os
import random
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Awaitable, Callable

import orjson

from tests.unit.api.connections.serving import (
    CONTINUATION,
    PING,
    TEXT,
    UPGRADE,
    frame,
)

SOURCES = [f"127.0.0.{number}" for number in range(2, 18)]
"""Addresses of this machine, each a client of its own to the API."""
PATIENCE_S = 3.0
FLOOD = 50
"""Requests that are sent without a pause."""
_HEAD = b"%s HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
_BINARY = 2


class Attacker:
    """One connection of one source.

    Args:
        reader: what the API answers, which few attacks read.
        writer: to the API.
        rng: chooses.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, rng: random.Random) -> None:
        self.reader = reader
        self.writer = writer
        self.rng = rng

    def _post(self, filters: object) -> bytes:
        body = orjson.dumps(filters)
        return _HEAD % (b"POST /v1/events", len(body)) + body

    def _get(self, target: str) -> bytes:
        return f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode()

    async def _open(self) -> None:
        self.writer.write(UPGRADE % (b"/", b""))
        await self.reader.readuntil(b"\r\n\r\n")

    async def _say(self, *messages: object) -> int:
        """Send messages of the relay's protocol, and read some of what comes."""
        await self._open()
        for message in messages:
            data = message if isinstance(message, bytes) else orjson.dumps(message)
            self.writer.write(frame(TEXT, data))
        await self.reader.read(self.rng.choice([1, 100_000]))
        return len(messages)

    def _filter(self) -> dict[str, object]:
        rng = self.rng
        return {
            rng.choice(["ids", "authors", "#e", "#p"]): [rng.randbytes(32).hex() for _ in range(rng.choice([1, 300]))],
            "kinds": rng.sample(range(65_536), rng.choice([1, 300])),
            "until": rng.randrange(2**41),
            "limit": rng.choice([1, 500, 10**6]),
        }

    async def huge_filters(self) -> int:
        """Filters with the most values that are taken, and with far more."""
        many = [self.rng.randbytes(32).hex() for _ in range(self.rng.choice([900, 1500]))]
        self.writer.write(self._post([{"#e": many, "kinds": [1]}]))
        self.writer.write(self._post([{"authors": many[:90], "kinds": list(range(9))}] * self.rng.choice([10, 200])))
        await self.reader.read(1000)
        return 2

    async def deep_pages(self) -> int:
        """Pages at any depth, by cursors that were made up, with counts, and an event that is not there."""
        cursor = orjson.dumps([self.rng.randrange(2**33), self.rng.randbytes(32).hex()])
        text = urlsafe_b64encode(cursor).decode().rstrip("=")
        for target in (f"/v1/events?limit=5000&cursor={text}", f"/v1/events?kinds=1&cursor={text[:-3]}"):
            self.writer.write(self._get(target)[:-2] + b"Prefer: count=estimated\r\n\r\n")
        self.writer.write(self._get(f"/v1/events/{self.rng.randbytes(32).hex()}"))
        await self.reader.read(1000)
        return 3

    async def bad_http(self) -> int:
        """What is no HTTP, or nearly."""
        bad = [
            os.urandom(300),
            b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 3000,
            b"POST /v1/events HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            b"POST /v1/events HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
            b"GET /%00%ff?kinds=%ff&kinds=1 HTTP/1.1\r\nHost: a\r\n\r\n",
            b"GET /v1/events?tag.t=%00&since=-1&limit=99999999999999999999999 HTTP/1.1\r\nHost: a\r\n\r\n",
        ]
        self.writer.write(self.rng.choice(bad))
        await self.reader.read(1000)
        return 1

    async def oversized(self) -> int:
        """Bodies and messages that are longer than they may be, or deeper."""
        deep = b"[" * 50_000 + b"]" * 50_000
        if self.rng.random() < 0.5:
            self.writer.write(_HEAD % (b"POST /v1/events", 10_000_000) + b"[" * 300_000)
            await self.reader.read(1000)
            return 1
        return await self._say(deep[25_000:75_000], b'["REQ","' + b"x" * 60_000 + b'",{}]', b"\0", deep)

    async def slow_reading(self) -> int:
        """Long answers that are not read."""
        self.writer.transport.pause_reading()  # type: ignore[attr-defined]
        self.writer.write(self._get("/v1/events")[:-2] + b"Accept: application/x-ndjson\r\n\r\n")
        self.writer.write(self._get("/v1/events?limit=500") * 5)
        await asyncio.sleep(self.rng.random() * PATIENCE_S)
        return 6

    async def trickle(self) -> int:
        """A head that never ends."""
        for byte in b"GET / HTTP/1.1\r\nHost: a\r\n":
            self.writer.write(bytes([byte]))
            await asyncio.sleep(0.05)
        return 1

    async def pipelined(self) -> int:
        """More requests than answers are read."""
        self.writer.write(self._get("/v1/events?kinds=1&limit=5") * FLOOD)
        await self.reader.read(10_000)
        return FLOOD

    async def requests(self) -> int:
        """Subscriptions without end."""
        return await self._say(*(["REQ", f"s{number}", self._filter()] for number in range(FLOOD)))

    async def counts(self) -> int:
        """Counts without end."""
        return await self._say(*(["COUNT", f"c{number}", self._filter()] for number in range(FLOOD)))

    async def closes(self) -> int:
        """What has no answer."""
        return await self._say(*(["CLOSE", f"s{number % 7}"] for number in range(20 * FLOOD)))

    async def logins(self) -> int:
        """Proofs that prove nothing."""
        event = {"id": "0" * 64, "pubkey": "1" * 64, "created_at": 1, "kind": 22242, "tags": [], "content": ""}
        return await self._say(*(["AUTH", {**event, "sig": self.rng.randbytes(64).hex()}] for _ in range(FLOOD)))

    async def nonsense(self) -> int:
        """Messages that are none."""
        odd = [b"", b"{}", b"[]", b'["REQ"]', b'["REQ",1]', b'["REQ","a",{"ids":[]}]', b'["EVENT",{}]', b"[1e999]"]
        return await self._say(*(self.rng.choice(odd) for _ in range(FLOOD)))

    async def bad_frames(self) -> int:
        """Frames that break the protocol, or are many and empty."""
        await self._open()
        frames = [
            frame(TEXT, b"", is_last=False) + frame(CONTINUATION, b"", is_last=False) * 500,
            frame(PING, b"x" * 125) * 500,
            frame(_BINARY, os.urandom(1000)) * 20,
            frame(TEXT, b"\xff\xfe") + frame(8, b""),
            frame(TEXT, b"x")[:3],
            os.urandom(2000),
        ]
        self.writer.write(self.rng.choice(frames))
        await self.reader.read(1000)
        return 1


ATTACKS: list[Callable[[Attacker], Awaitable[int]]] = [
    Attacker.huge_filters,
    Attacker.deep_pages,
    Attacker.bad_http,
    Attacker.oversized,
    Attacker.slow_reading,
    Attacker.trickle,
    Attacker.pipelined,
    Attacker.requests,
    Attacker.counts,
    Attacker.closes,
    Attacker.logins,
    Attacker.nonsense,
    Attacker.bad_frames,
]


async def attack(port: int, requests: int, *, at_once: int, seed: int = 1) -> Counter[str]:
    """Attack until so many requests were made; how many by attack, and how many attempts were cut or refused."""
    made: Counter[str] = Counter()
    number = iter(range(10**9))

    async def worker() -> None:
        while sum(made.values()) - made["cut"] < requests:
            turn = next(number)
            rng = random.Random(seed * 10**9 + turn)
            one = ATTACKS[turn % len(ATTACKS)]
            name = getattr(one, "__name__", "")
            try:
                reader, writer = await asyncio.open_connection(
                    "127.0.0.1", port, local_addr=(SOURCES[turn % len(SOURCES)], 0)
                )
            except OSError:
                made["cut"] += 1
                continue
            try:
                async with asyncio.timeout(PATIENCE_S):
                    made[name] += await one(Attacker(reader, writer, rng))
            except (OSError, TimeoutError, asyncio.IncompleteReadError, RuntimeError):  # the last from uvloop
                made["cut"] += 1
                made[name] += 1
            finally:
                writer.transport.abort()

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(worker())
    return made
