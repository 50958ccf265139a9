"""Kinds and authors known to exist: what a question can be narrowed by (NIP-01 has no `not` and no prefixes)."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Generic, TypeVar

from producers.relay_client.page import Seen
from schemas.nostr.filters import Filter
from schemas.nostr.kinds import MAX_KIND

WITHHELD_KINDS = (4, 1059)
"""Direct messages and gift wraps: strfry counts them against the limit and then withholds them from clients that are
not their recipients, so a page comes out short. They are never asked for together with others."""
WITNESSES = 3
"""Owners (registrable domains) whose relays must have given a kind or an author before others are asked for it."""
MOST_OWN_KINDS = 32
"""Kinds of one relay that are not registered. Software has a few of its own; hundreds are invented."""
MOST_OWN_AUTHORS = 256
"""Authors of one relay, the newest met: 30 KB."""
MOST_KINDS = 256
"""Shared kinds: as many as there are registered ones."""
MOST_AUTHORS = 5000
"""Shared authors: half a megabyte for all relays of a process together."""
MOST_OFFERS = 20_000
"""Kinds and authors that wait for witnesses, the newest: 4 MB."""
COMMON_KINDS = (0, 1, 3, 5, 6, 7, 1984, 9735, 10002, 30023)
"""What most events are; few enough for relays that take no more than ten kinds in a filter."""
_REGISTERED = (
    *(2, 8, 9, 11, 13, 14, 15, 16, 17, 20, 21, 22, 40, 41, 42, 43, 44, 62, 64, 818, 1018, 1021, 1022, 1040, 1063, 1068),
    *(1111, 1222, 1244, 1311, 1337, 1617, 1618, 1619, 1621, 1630, 1631, 1632, 1633, 1971, 1985, 1986, 2003, 2004),
    *(2022, 4550, 7000, 7374, 7375, 7376, 8000, 8001, 9000, 9001, 9007, 9021, 9022, 9041, 9321, 9467, 9734, 9802),
    *(10000, 10001, 10003, 10004, 10005, 10006, 10007, 10009, 10012, 10015, 10019, 10030, 10050, 10063, 10096, 10166),
    *(13194, 17375, 30000, 30001, 30002, 30003, 30004, 30005, 30008, 30009, 30015, 30017, 30018, 30019, 30020, 30024),
    *(30030, 30040, 30041, 30063, 30078, 30166, 30267, 30311, 30315, 30388, 30402, 30403, 30617, 30618, 30818, 30819),
    *(31234, 31388, 31890, 31922, 31923, 31924, 31925, 31989, 31990, 32267, 34235, 34236, 34550, 38383, 39000, 39001),
    *(39002, 39089, 39701),
)
"""Kinds that NIPs define and relays store, without whole ranges of them."""
REGISTERED_KINDS = (*COMMON_KINDS, *_REGISTERED)
"""The common ones first."""
_KNOWN = frozenset((*REGISTERED_KINDS, *WITHHELD_KINDS))
Key = TypeVar("Key", int, str)
_HEX = frozenset("0123456789abcdef")
_KIND_LISTS = 16
"""Lists of kinds that are shared by the questions that name them: ten a relay are kept for a minute, of 1.1 KB each."""


class KnownFilters:
    """What is known to all relays of a process: what NIPs register, and what relays of several owners gave.

    Relays may send anything, and signing invented kinds costs nothing: so no single owner adds to what others are
    asked for, and what is registered stays in front.
    """

    def __init__(self) -> None:
        """Begin with the registered kinds."""
        self._kinds: _Shared[int] = _Shared(MOST_KINDS)
        self._authors: _Shared[str] = _Shared(MOST_AUTHORS)

    def of(self, domain: str) -> RelayKnownFilters:
        """What is known of a relay with this registrable domain, which adds to what all know."""
        return RelayKnownFilters(self._kinds, self._authors, domain)


class RelayKnownFilters:
    """Kinds and authors to ask one relay for."""

    def __init__(self, kinds: _Shared[int], authors: _Shared[str], domain: str) -> None:
        """Begin with what all know; `KnownFilters.of` makes one."""
        self._shared_kinds = kinds
        self._shared_authors = authors
        self._domain = domain
        self._kinds: dict[int, None] = {}
        self._authors: dict[str, None] = {}

    def learn(self, events: Iterable[Seen]) -> None:
        """Take in a page."""
        for seen in events:
            kind, author = seen.kind, seen.author
            # The first ones stay: what a relay is asked for must not change with each page.
            room = len(self._kinds) < MOST_OWN_KINDS
            if room and 0 <= kind <= MAX_KIND and kind not in self._kinds and kind not in _KNOWN:
                self._kinds[kind] = None
                self._shared_kinds.offer(kind, self._domain)
            if author not in self._authors and is_author(author):
                self._authors[author] = None
                if len(self._authors) > MOST_OWN_AUTHORS:
                    del self._authors[next(iter(self._authors))]
                self._shared_authors.offer(author, self._domain)

    def kinds(self) -> tuple[int, ...]:
        """Known kinds: the registered ones, this relay's own, those of others."""
        return tuple(dict.fromkeys((*REGISTERED_KINDS, *self._kinds, *self._shared_kinds.known)))

    def new_kinds(self) -> tuple[int, ...]:
        """Those of them that are not registered."""
        return tuple(dict.fromkeys((*self._kinds, *self._shared_kinds.known)))

    def authors(self) -> tuple[str, ...]:
        """Known authors: this relay's own, the newest first, then those of others."""
        return tuple(dict.fromkeys((*reversed(self._authors), *self._shared_authors.known)))


class _Shared(Generic[Key]):
    """What relays of several owners gave."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.known: dict[Key, None] = {}
        self._offers: dict[Key, tuple[str, ...]] = {}

    def offer(self, key: Key, domain: str) -> None:
        """A relay of this domain gave it."""
        if key in self.known:
            return
        domains: tuple[str, ...] = self._offers.pop(key, ())
        if domain not in domains:
            domains = (*domains, domain)
        if len(domains) >= WITNESSES:
            if len(self.known) < self._most:
                self.known[key] = None
            return
        self._offers[key] = domains
        if len(self._offers) > MOST_OFFERS:
            del self._offers[next(iter(self._offers))]


def is_author(text: str) -> bool:
    """Whether a relay takes it as a public key in a filter."""
    return len(text) == 64 and _HEX.issuperset(text)  # noqa: PLR2004 - hex digits of 32 bytes


def says_kinds(base: Filter) -> bool:
    """Whether the filter itself is safe from withheld kinds: an empty answer to it needs no second question."""
    return base.ids is not None or (base.kinds is not None and not set(base.kinds) & set(WITHHELD_KINDS))


def readable_kinds(base: Filter, known_filters: RelayKnownFilters, most: int) -> tuple[int, ...]:
    """Kinds to ask for explicitly, without those that relays withhold; empty if the filter wants no other."""
    wanted = base.kinds if base.kinds is not None else known_filters.kinds()
    return _readable(wanted, most)


@lru_cache(maxsize=_KIND_LISTS)
def _readable(wanted: tuple[int, ...], most: int) -> tuple[int, ...]:
    return tuple(dict.fromkeys(kind for kind in wanted if kind not in WITHHELD_KINDS))[:most]
