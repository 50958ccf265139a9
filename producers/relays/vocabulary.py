"""Kinds and authors known to exist: what a question can be narrowed by (NIP-01 has no `not` and no prefixes)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from producers.relays.pages import Seen
from schemas.filters import Filter
from schemas.kinds import MAX_KIND

WITHHELD_KINDS = (4, 1059)
"""Direct messages and gift wraps: strfry counts them against the limit and then withholds them from strangers
(nostr-facts section 11, rule 1), so they are never asked for together with others."""
MOST_KINDS = 1000
MOST_AUTHORS = 5000
"""Half a megabyte for all relays of a process together; the newest are kept."""
_COMMON = (0, 1, 3, 5, 6, 7, 1984, 9735, 10002, 30023)
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
Key = TypeVar("Key")
_HEX = frozenset("0123456789abcdef")


class Vocabulary:
    """What was met so far on any relay of this process, bounded: a relay can fill it with nonsense, not outgrow it."""

    def __init__(self) -> None:
        """Begin with the kinds that everybody knows."""
        self._kinds: dict[int, None] = dict.fromkeys((*reversed(_REGISTERED), *reversed(_COMMON)))
        self._authors: dict[str, None] = {}

    def learn(self, events: Iterable[Seen]) -> None:
        """Take in a page."""
        for seen in events:
            if 0 <= seen.kind <= MAX_KIND:
                _renew(self._kinds, seen.kind, MOST_KINDS)
            if is_author(seen.author):
                _renew(self._authors, seen.author, MOST_AUTHORS)

    def kinds(self) -> tuple[int, ...]:
        """Known kinds, the newest met first."""
        return tuple(reversed(self._kinds))

    def authors(self) -> tuple[str, ...]:
        """Known authors, the newest met first."""
        return tuple(reversed(self._authors))


def is_author(text: str) -> bool:
    """Whether a relay takes it as a public key in a filter."""
    return len(text) == 64 and _HEX.issuperset(text)  # noqa: PLR2004 - hex digits of 32 bytes


def says_kinds(base: Filter) -> bool:
    """Whether the filter itself is safe from withheld kinds: an empty answer to it needs no second question."""
    return base.ids is not None or (base.kinds is not None and not set(base.kinds) & set(WITHHELD_KINDS))


def readable_kinds(base: Filter, vocabulary: Vocabulary, most: int) -> tuple[int, ...]:
    """Kinds to ask for explicitly, without those that relays withhold; empty if the filter wants no other."""
    wanted = base.kinds if base.kinds is not None else (*_COMMON, *vocabulary.kinds())
    return tuple(dict.fromkeys(kind for kind in wanted if kind not in WITHHELD_KINDS))[:most]


def _renew(known: dict[Key, None], key: Key, most: int) -> None:
    known.pop(key, None)
    known[key] = None
    if len(known) > most:
        del known[next(iter(known))]
