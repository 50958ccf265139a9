"""A consumer of NIP-66 events that knows the NIP and nothing of ours: it asks by filters, and parses strictly."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import orjson
from websockets.asyncio.client import connect

LOOK_BACK_S = 5400
"""As nostr.watch's."""
_DIGITS = re.compile("[0-9]+")
_SHAPES = {
    "n": re.compile("clearnet|tor|i2p|loki"),
    "N": _DIGITS,
    "R": re.compile("!?(auth|writes|pow|payment)"),
    "k": re.compile("!?[0-9]+"),
    "t": re.compile("[a-z][a-z0-9-]*"),
    "g": re.compile("[0-9bcdefghjkmnpqrstuvwxyz]+"),
    "rtt-open": _DIGITS,
    "rtt-read": _DIGITS,
    "rtt-write": _DIGITS,
}
_ONCE = {"d", "n", "rtt-open", "rtt-read", "rtt-write"}


@dataclass
class Discovered:
    """One relay, by its event."""

    url: str
    at_s: int
    tags: dict[str, list[str]] = field(default_factory=dict)
    labels: set[tuple[str, str]] = field(default_factory=set)
    document: dict[str, Any] | None = None


async def discover(url: str, monitor: str, **filters: list[str]) -> list[Discovered]:
    """Relays that a monitor has found online of late; `d`, `R` and the like are matched by the relay as NIP-01 says."""
    wanted = {f"#{name}": values for name, values in filters.items()}
    since = int(time.time()) - LOOK_BACK_S
    events = await _ask(url, {"kinds": [30166], "authors": [monitor], "since": since, "limit": 500, **wanted})
    return [parsed(event) for event in events]


async def announced(url: str, monitor: str) -> dict[int, dict[str, Any]]:
    """What a monitor says of itself, by kind."""
    events = await _ask(url, {"kinds": [0, 10002, 10166], "authors": [monitor]})
    return {event["kind"]: event for event in events}


def parsed(event: dict[str, Any]) -> Discovered:
    """Read an event of kind 30166; fails where it is not as NIP-66 has it."""
    assert event["kind"] == 30166
    names = [tag[0] for tag in event["tags"]]
    for name in _ONCE:
        assert names.count(name) <= 1, name
    (address,) = [tag[1] for tag in event["tags"] if tag[0] == "d"]
    parts = urlsplit(address)
    assert parts.scheme in ("ws", "wss")
    assert parts.path.startswith("/")
    assert parts.netloc == parts.netloc.lower()
    found = Discovered(address, event["created_at"])
    namespaces = {tag[1] for tag in event["tags"] if tag[0] == "L"}
    for name, *values in event["tags"]:
        assert all(isinstance(value, str) and value for value in values), name
        if name == "l":
            label, namespace = values
            assert namespace in namespaces
            found.labels.add((namespace, label))
            continue
        (value,) = values
        assert name not in _SHAPES or _SHAPES[name].fullmatch(value), (name, value)
        found.tags.setdefault(name, []).append(value)
    if event["content"]:
        found.document = orjson.loads(event["content"])
        assert isinstance(found.document, dict)
    return found


async def _ask(url: str, wanted: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    async with connect(url, compression=None, proxy=None) as socket:
        await socket.send(orjson.dumps(["REQ", "all", wanted]), text=True)
        while True:
            message = orjson.loads(await socket.recv(decode=False))
            if message[0] == "EVENT":
                found.append(message[2])
            elif message[0] != "NOTICE":
                assert message[0] == "EOSE", message
                return found
