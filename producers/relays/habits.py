"""What is learnt about how one relay answers: each answer that depends on it costs one query to find out."""

from __future__ import annotations

from dataclasses import dataclass

SMALLEST_CAP = 20
"""No relay software is known to answer with fewer events a page (nostr-facts section 10). A page below it that holds
one second only is a quiet relay, not a dense second."""
SMALLEST_LIMIT = 10
"""Where halving the asked limit ends when a relay goes on refusing it."""
MOST_KINDS_ASKED = 250
"""In one filter: 1,700 bytes, far below the smallest message size that relays name."""
FEW_KINDS_ASKED = 10
"""What the strictest relay software takes (the default of khatru's SQLite store)."""
ORDER_EVIDENCE = 10
"""Events of a page that must come newest first before that is taken for the relay's order: ten in no order come so
once in three million times."""
MOST_CONTRADICTIONS = 3
"""A replaceable event may be replaced between two pages, which looks like one. A relay that does it again and again
is asked without trust in its order."""
MOST_HIDDEN = 3
"""So often it is asked again without kinds after it had hidden events; it is known then that it withholds some."""


@dataclass(slots=True)
class Habits:
    """How a relay answers a REQ; kept as long as the process keeps the relay.

    Attributes:
        limit: what is asked for; lowered when the relay refuses it.
        cap: the largest page ever received whole, or 0.
        exclusive_until: whether events of the second `until` itself are left out (against NIP-01); None: not known yet.
        newest_first: whether pages were seen sorted newest first, and none otherwise.
        order_proven: whether it was asked once what is newer than a page, and had nothing.
        unsorted: whether a page was seen in another order, or not with the newest events.
        ignores_since: whether it sends what lies before `since`: it is cut off here then.
        contradictions: how often it did not show again what it had shown.
        hidden: how often a question with kinds showed what the one without had not.
        most_kinds: how many kinds are asked for at once; lowered when the relay cannot handle it.
        long_lists: whether it answers questions that name thousands of kinds; None: not tried yet.
        window_s: how long the next window is; see producers.relays.windows.
    """

    limit: int
    cap: int = 0
    exclusive_until: bool | None = None
    newest_first: bool = False
    order_proven: bool = False
    unsorted: bool = False
    ignores_since: bool = False
    contradictions: int = 0
    hidden: int = 0
    most_kinds: int = MOST_KINDS_ASKED
    long_lists: bool | None = None
    window_s: int | None = None
    smallest_cap: int = SMALLEST_CAP
    order_evidence: int = ORDER_EVIDENCE

    def trusted(self, *, vouched: bool = False) -> bool:
        """Whether the oldest event of a page bounds what is still unread from above.

        Vouched: it was asked for what is newer than the page in question, and had nothing.
        """
        return (
            self.newest_first
            and (self.order_proven or vouched)
            and not self.unsorted
            and self.contradictions < MOST_CONTRADICTIONS
        )

    def fills_a_page(self, events: int) -> bool:
        """Whether so many events may not be all that there are."""
        return events >= max(min(self.cap, self.limit), self.smallest_cap)

    def is_short(self, events: int) -> bool:
        """Whether the relay is known to give more at a time. That is no proof of an end, but reason to ask for one."""
        return events < min(self.cap, self.limit)

    def lower_limit(self, at_most: int | None = None) -> bool:
        """Ask for less from now on: for what the relay named, or else for half. False where less makes no sense."""
        wanted = at_most if at_most is not None and at_most > 0 else self.limit // 2
        if wanted >= self.limit or wanted < SMALLEST_LIMIT:
            return False
        self.limit = wanted
        return True

    def lower_kinds(self) -> bool:
        """Ask for few kinds at a time from now on; False if that is done already."""
        if self.most_kinds <= FEW_KINDS_ASKED:
            return False
        self.most_kinds = FEW_KINDS_ASKED
        return True
