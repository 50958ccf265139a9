"""Facts about a relay's answers that are learnt anew at each visit, since each costs one query to find out.

Most of it makes reading faster, so it is proved anew at each visit; what makes it slower is kept (`model`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SMALLEST_CAP = 5
"""A page of fewer events that holds one second only is a quiet relay, not a dense second, unless pages of this size
were seen to be cut: known caps are 300 and more, and a dense second costs twenty questions."""
MOST_KINDS_ASKED = 250
"""In one filter: 1,700 bytes, far below the smallest message size that relays name."""
LONG_LIST = 8192
"""Kinds in a filter: 48 KB, so that eight questions name every kind and each fits the 64 KiB that most relays take."""
MOST_IDS_ASKED = 100
"""Ids or authors in one filter: 6,700 bytes; relays that limit the number take so many."""
FEW_KINDS_ASKED = 10
"""What the strictest relay software takes (the default of khatru's SQLite store)."""
ORDER_BITS = math.log2(math.factorial(10))
"""Evidence, over all pages, before "newest first" is taken for the relay's order: ten events in no order come so once
in three million times. Smaller pages add up; a single one in another order ends it. So much is also wanted before
pages are taken to hold the newest events without a trial of each."""
MOST_CONTRADICTIONS = 3
"""A replaceable event may be replaced between two pages, which looks like one. A relay that does it again and again
is asked without trust in its order."""
MOST_HIDDEN = 3
"""So often it is asked again without kinds after it had hidden events; it is known then that it withholds some."""

ORDER_UNKNOWN: Mapping[str, Any] = {
    "cap": 0,
    "proven_cap": 0,
    "exclusive_until": None,
    "order_bits": 0.0,
    "proof_bits": 0.0,
    "unsorted": False,
    "contradictions": 0,
    "hidden": 0,
}
"""What follows from what pages do not show: to be learnt anew where they were not whole."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What pages must show before something is concluded from them.

    Attributes:
        smallest_cap: events of a page that may have been cut.
        order_bits: evidence before an order is taken for the relay's.
    """

    smallest_cap: int = SMALLEST_CAP
    order_bits: float = ORDER_BITS


THRESHOLDS = Thresholds()


@dataclass(slots=True)
class RelayBehavior:
    """How a relay answers a REQ.

    Attributes:
        limit: what is asked for; lowered when the relay refuses it.
        cap: the largest page received whole, or 0.
        proven_cap: the largest page that more events were seen to lie below, or 0: pages are cut there.
        exclusive_until: whether events of the second `until` itself are left out (against NIP-01); None: not known yet.
        order_bits: how unlikely it is that the pages came newest first by chance, as a logarithm to the base of two.
        proof_bits: how unlikely it is that pages held the newest events by chance, likewise.
        unsorted: whether a page was seen in another order, or not with the newest events.
        ignores_since: whether it sends what lies before `since`: it is cut off here then.
        ignores_limit: whether it sent more than was asked for: it has a cap of its own, or none.
        contradictions: how often it did not show again what it had shown.
        hidden: how often a question with kinds showed what the one without had not.
        most_kinds: how many kinds are asked for at once; lowered when the relay cannot handle it.
        long_lists: whether it answers questions that name thousands of kinds; None: not tried yet.
        prompt: whether events were seen to come before EOSE.
        longest_list: so many kinds a list may name that asks for all: what the largest message has room for.
        most_ids: so many ids or authors are named in a filter, by the same.
        kinds_read: how many kinds of a list were shown to be read; None: not tried yet.
        window_s: how long the next window is; see producers.connector.crawl.planning.windows.
        thresholds: for relays of other sizes than those on the network.
    """

    limit: int
    cap: int = 0
    proven_cap: int = 0
    exclusive_until: bool | None = None
    order_bits: float = 0.0
    proof_bits: float = 0.0
    unsorted: bool = False
    ignores_since: bool = False
    ignores_limit: bool = False
    contradictions: int = 0
    hidden: int = 0
    most_kinds: int = MOST_KINDS_ASKED
    long_lists: bool | None = None
    longest_list: int = LONG_LIST
    most_ids: int = MOST_IDS_ASKED
    prompt: bool = False
    kinds_read: int | None = None
    window_s: int | None = None
    thresholds: Thresholds = THRESHOLDS

    @property
    def proven(self) -> bool:
        """Whether what came below pages has shown that these held the newest events."""
        return self.proof_bits >= ORDER_BITS

    def trusted(self, *, vouched: bool = False) -> bool:
        """Whether the oldest event of a page bounds what is still unread from above.

        Vouched: it was asked for what is newer than the page in question, and had nothing.
        """
        return (
            self.order_bits >= self.thresholds.order_bits
            and (vouched or self.proven)
            and not self.unsorted
            and self.contradictions < MOST_CONTRADICTIONS
        )

    def fills_a_page(self, events: int) -> bool:
        """Whether so many events may not be all that there are."""
        if not self.ignores_limit and events >= self.limit:
            return True
        return events >= (self.proven_cap or max(self.cap, self.thresholds.smallest_cap))

    def is_short(self, events: int) -> bool:
        """Whether the relay is known to give more at a time. That is no proof of an end, but reason to ask for one."""
        return events < (self.cap if self.ignores_limit else min(self.cap, self.limit))

    def lower_kinds(self) -> bool:
        """Ask for few kinds at a time from now on; False if that is done already."""
        if self.most_kinds <= FEW_KINDS_ASKED:
            return False
        self.most_kinds = FEW_KINDS_ASKED
        return True
