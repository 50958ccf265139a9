"""What is learnt about how one relay answers: each answer that depends on it costs one query to find out."""

from __future__ import annotations

from dataclasses import dataclass

SMALLEST_CAP = 20
"""No relay software is known to answer with fewer events a page (nostr-facts section 10). A page below it that holds
one second only is a quiet relay, not a dense second."""
SMALLEST_LIMIT = 10
"""Where halving the asked limit ends when a relay goes on refusing it."""


@dataclass(slots=True)
class Habits:
    """How a relay answers a REQ; kept as long as the process keeps the relay.

    Attributes:
        limit: what is asked for; lowered when the relay refuses it.
        cap: the largest page ever received whole, or 0.
        exclusive_until: whether events of the second `until` itself are left out (against NIP-01); None: not known yet.
        newest_first: whether pages were seen sorted newest first, and none otherwise.
        unsorted: whether a page was seen in another order.
    """

    limit: int
    cap: int = 0
    exclusive_until: bool | None = None
    newest_first: bool = False
    unsorted: bool = False
    smallest_cap: int = SMALLEST_CAP

    def trusted(self) -> bool:
        """Whether the oldest event of a page bounds what is still unread from above."""
        return self.newest_first and not self.unsorted

    def fills_a_page(self, events: int) -> bool:
        """Whether so many events of one second may not be all of them."""
        return events >= max(min(self.cap, self.limit), self.smallest_cap)

    def lower_limit(self, at_most: int | None = None) -> bool:
        """Ask for less from now on: for what the relay named, or else for half. False where less makes no sense."""
        wanted = at_most if at_most is not None and at_most > 0 else self.limit // 2
        if wanted >= self.limit or wanted < SMALLEST_LIMIT:
            return False
        self.limit = wanted
        return True
