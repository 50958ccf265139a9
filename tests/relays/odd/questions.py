"""What a relay makes of a filter: small pages, no limit at all, no bare filters, few kinds, kinds held back."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass

from tests.relays.odd.behaviour import PAGE, Behaviour, Client, Question, Way


@dataclass
class Cap(Behaviour):
    """Gives fewer events at a time than it is asked for, and does not say so."""

    most: int

    async def asked(self, client: Client, question: Question) -> bool:
        """Lower the limit."""
        question.most = min(question.most, self.most)
        return False


@dataclass
class StatesLimit(Behaviour):
    """Refuses what asks for more events than it gives."""

    most: int
    way: Way
    words: str

    async def asked(self, client: Client, question: Question) -> bool:
        """Refuse a limit that is higher, or missing."""
        if question.wanted.get("limit", PAGE) <= self.most:
            return False
        await client.refuse(question, self.way, self.words)
        return True


@dataclass
class IgnoresLimit(Behaviour):
    """Gives as many as it pleases: all, or a number of its own."""

    most: int = sys.maxsize

    async def asked(self, client: Client, question: Question) -> bool:
        """Set the limit."""
        question.most = self.most
        return False


@dataclass
class NoBareFilters(Behaviour):
    """Refuses a filter that names no kinds, ids, authors or tags."""

    way: Way
    words: str

    async def asked(self, client: Client, question: Question) -> bool:
        """Refuse it."""
        if not question.bare:
            return False
        await client.refuse(question, self.way, self.words)
        return True


@dataclass
class MostKinds(Behaviour):
    """Takes so many kinds in a filter; `silent`: looks at the first of them alone."""

    most: int
    way: Way

    async def asked(self, client: Client, question: Question) -> bool:
        """Refuse a list that is longer, or cut it off."""
        if question.kinds is None or len(question.kinds) <= self.most:
            return False
        if self.way == "silent":
            question.only_kinds(question.kinds[: self.most])
            return False
        await client.refuse(question, self.way, f"invalid: too many kinds, at most {self.most} in a filter")
        return True


@dataclass
class Slow(Behaviour):
    """Takes its time for each REQ, so that a crawl lasts."""

    delay_s: float

    async def asked(self, client: Client, question: Question) -> bool:
        """Wait."""
        await asyncio.sleep(self.delay_s)
        return False


@dataclass
class MostSubscriptions(Behaviour):
    """Keeps so many subscriptions open on a connection; `silent`: a new one takes the place of the oldest."""

    most: int
    way: Way
    words: str = ""

    async def asked(self, client: Client, question: Question) -> bool:
        """Refuse one too many, or make room for it."""
        if len(client.open) < self.most:
            return False
        if self.way == "silent":
            del client.open[next(iter(client.open))]
            return False
        await client.refuse(question, self.way, self.words)
        return True
