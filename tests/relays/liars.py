"""Relays that answer every question wrongly in a way of their own, and what can be had from them all the same."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from websockets.asyncio.server import ServerConnection

from schemas.nostr.event import Event
from schemas.nostr.event_id import compute_id
from schemas.nostr.signature import public_key, sign
from tests.relays.hostile import Event as Wire
from tests.relays.hostile import Hostile, say

CAP = 50
"""Events that each of them gives at a time, without saying so."""
CLOSES_AFTER = 30


@dataclass
class Lie:
    """How a relay answers.

    Attributes:
        order: which events it chooses, and how it sorts them.
        ignores_since: it sends what is older too.
        withholds: kinds that it counts and leaves out.
        eose: whether it ends a page.
        closes: it closes a page in the middle.
        doubles: it sends each event twice.
    """

    order: Literal["newest", "ascending", "oldest", "any"] = "newest"
    ignores_since: bool = False
    withholds: frozenset[int] = frozenset()
    eose: bool = True
    closes: bool = False
    doubles: bool = False
    _random: random.Random = field(default_factory=lambda: random.Random(7))

    async def __call__(self, relay: Hostile, websocket: ServerConnection, subid: str, asked: dict[str, Any]) -> None:
        """Answer a REQ."""
        page = self.page(relay.events, asked)
        broken = self.closes and len(page) > CLOSES_AFTER
        for event in page[:CLOSES_AFTER] if broken else page:
            for _ in range(1 + self.doubles):
                await say(websocket, "EVENT", subid, event)
        if broken and not subid.startswith("live"):
            await say(websocket, "CLOSED", subid, "error: could not go on")
        elif self.eose:
            await say(websocket, "EOSE", subid)

    def page(self, events: Sequence[Wire], asked: dict[str, Any]) -> list[Wire]:
        """What it sends."""
        # Lists of thousands of kinds come too.
        asked = {name: frozenset(value) if isinstance(value, list) else value for name, value in asked.items()}
        fitting = [event for event in events if _fits(event, asked, self.ignores_since)]
        most = min(CAP, asked.get("limit", CAP))
        if self.order == "any":
            return self._random.sample(fitting, min(most, len(fitting)))
        fitting.sort(key=lambda event: (-event["created_at"], event["id"]))
        if self.order == "oldest":
            fitting.reverse()
        page = [event for event in fitting[:most] if event["kind"] not in self.withholds]
        return page[::-1] if self.order == "ascending" else page


def reachable(lie: Lie, events: Sequence[Wire]) -> set[str]:
    """Ids that some question formed from the kinds and authors that there are brings, second by second."""
    found: set[str] = set()
    groups: dict[tuple[int, int], list[Wire]] = {}
    for event in events:
        groups.setdefault((event["created_at"], event["kind"]), []).append(event)
    for (second, kind), group in groups.items():
        asked: dict[str, Any] = {"since": second, "until": second, "kinds": [kind]}
        authors = {event["pubkey"] for event in group}
        for question in (asked, *[{**asked, "authors": [author]} for author in authors]):
            found |= {event["id"] for event in lie.page(group, question)}
    return found


def written(created_at: int, kind: int, author: int, number: int) -> Wire:
    """A signed event."""
    secret, pubkey = _key(author)
    event = Event("", pubkey, created_at, kind, [], f"{number}", "")
    event_id = compute_id(event)
    return event._replace(id=event_id, sig=sign(secret, bytes.fromhex(event_id)))._asdict()


def burst(created_at: int, kinds: Sequence[int], authors: int, each: int) -> Iterator[Wire]:
    """Events of one second: so many of each kind by each author."""
    for kind in kinds:
        for author in range(authors):
            for number in range(each):
                yield written(created_at, kind, author, number)


@lru_cache
def _key(author: int) -> tuple[bytes, str]:
    secret = (1000 + author).to_bytes(32)
    return secret, public_key(secret)


def _fits(event: Wire, asked: dict[str, Any], ignores_since: bool) -> bool:
    if not (ignores_since or asked.get("since", 0) <= event["created_at"]):
        return False
    if event["created_at"] > asked.get("until", 2**63):
        return False
    conditions = (("kinds", "kind"), ("authors", "pubkey"), ("ids", "id"))
    return all(name not in asked or event[member] in asked[name] for name, member in conditions)
