"""Which relay holds which demo event, and which of them relays accepted: what an archive is compared with."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from random import Random

from deploy.demo.scene import Signed
from schemas.digest import Digest

SHOWN_REFUSALS = 20  # enough to see what went wrong without a line of megabytes


def spread(events: Sequence[Signed], relays: int, copies: float, rng: Random) -> list[list[Signed]]:
    """Deal events to relays: each to at least one, on average to `copies` of them. Return a list of events per relay.

    Args:
        events: what to deal.
        relays: number of relays, at least 1.
        copies: mean number of relays that hold an event, between 1 and `relays`.
        rng: decides who holds what.
    """
    hands: list[list[Signed]] = [[] for _ in range(relays)]
    whole, rest = int(copies), copies - math.floor(copies)
    for event in events:
        for relay in rng.sample(range(relays), min(relays, whole + (rng.random() < rest))):
            hands[relay].append(event)
    return hands


class Offer:
    """What relays accepted, event by event, and what they refused and why. Refused copies are not offered."""

    def __init__(self, urls: Sequence[str]) -> None:
        self.urls = tuple(urls)
        self.per_relay: Counter[str] = Counter()
        self._digest = Digest()
        self._ids: set[str] = set()
        self._refusals: list[dict[str, str]] = []
        self._refused = 0

    def add(self, event_id: str, url: str) -> None:
        """Count a copy that a relay said it has stored; at most once per event and relay."""
        if event_id not in self._ids:
            self._ids.add(event_id)
            self._digest.add_event(event_id)
        self._digest.add_pair(event_id, url)
        self.per_relay[url] += 1

    def refuse(self, event_id: str, url: str, reason: str) -> None:
        """Record that a relay did not accept a copy."""
        self._refused += 1
        if len(self._refusals) < SHOWN_REFUSALS:
            self._refusals.append({"id": event_id, "relay": url, "reason": reason})

    def report(self) -> dict[str, object]:
        """Return the account as a JSON object.

        Shape: `urls`, `events` (distinct), `pairs` (of event and relay), `per_relay`, `refused` (count), `refusals`
        (the first of them), and `digest` with `events`, `pairs` and `all` in hex as `schemas.digest` defines them.
        """
        return {
            "urls": list(self.urls),
            "events": self._digest.events,
            "pairs": self._digest.pairs,
            "per_relay": {url: self.per_relay[url] for url in self.urls},
            "refused": self._refused,
            "refusals": self._refusals,
            "digest": {
                "events": self._digest.events_hex(),
                "pairs": self._digest.pairs_hex(),
                "all": self._digest.hexdigest(),
            },
        }
