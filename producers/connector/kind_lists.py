"""Lists of kinds for relays that refuse a filter without kinds: the kinds of each, and whether they cover all.

A relay that takes long lists is asked for all 65,536 kinds in eight of them; from others only known kinds can be asked.
Kinds 4 and 1059 are asked for by themselves, because relays count them against the limit and then withhold them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from producers.connector.known_filters import WITHHELD_KINDS
from producers.connector.relay_behavior import FEW_KINDS_ASKED, LONG_LIST, MOST_KINDS_ASKED
from producers.relay_client.page import Seen
from schemas.nostr.filters import Filter
from schemas.nostr.kinds import MAX_KIND

SIZES = (LONG_LIST, MOST_KINDS_ASKED, FEW_KINDS_ASKED, 3, 1)
"""What is tried one after another: all kinds, all known ones, what the strictest software takes, and less."""

Kinds = tuple[int, ...]


class Control(NamedTuple):
    """A question by which a relay shows that it has read a list to its end: the event must come."""

    asked: Filter
    event_id: str


def smaller(at_once: int, named: int | None = None) -> int | None:
    """How many kinds to ask for at once where so many are refused: what the relay names, else the next size."""
    if named is not None and 0 < named < at_once:
        return named
    return next((size for size in SIZES if size < at_once), None)


def kind_lists(
    base: Filter, at_once: int, known: Sequence[int], new: Iterable[int], used: Iterable[Kinds]
) -> list[Kinds]:
    """The lists of kinds by which a filter is read.

    A new kind is a list of its own, and lists that are in use stay as they are: what was read with them stays read.

    Args:
        base: the filter.
        at_once: so many kinds the relay takes in a filter.
        known: registered kinds.
        new: kinds that were met besides.
        used: lists with which the relay was read before.
    """
    alone = [(kind,) for kind in WITHHELD_KINDS if base.kinds is None or kind in base.kinds]
    if base.kinds is not None:
        return [*_parts(base.kinds, at_once), *alone]
    if at_once >= LONG_LIST:
        return [*_parts(range(MAX_KIND + 1), LONG_LIST), *alone]
    kept = [kinds for kinds in dict.fromkeys(used) if len(kinds) <= at_once and kinds not in alone]
    named = {kind for kinds in kept for kind in kinds}
    rest = [kind for kind in known if kind not in named]
    single = [(kind,) for kind in new if kind not in named and kind not in WITHHELD_KINDS]
    return [*kept, *_parts(rest, at_once), *single, *alone]


def name_all(base: Filter, lists: Iterable[Kinds]) -> bool:
    """Whether the lists together name every kind that the filter asks for."""
    named = {kind for kinds in lists for kind in kinds}
    return named >= set(base.kinds if base.kinds is not None else range(MAX_KIND + 1))


def sample(base: Filter, known: Sequence[int], at_once: int, limit: int) -> Filter:
    """A question for some events of known kinds, of which one may serve as a control."""
    return replace(base, kinds=tuple(known[: min(at_once, MOST_KINDS_ASKED)]), since=None, until=None, limit=limit)


def control(base: Filter, seen: Seen, at_once: int, limit: int) -> Control:
    """A question with as many kinds as are asked for at once, of which the last is that of a known event."""
    fillers = [kind for kind in range(MAX_KIND, -1, -1) if kind != seen.kind and kind not in WITHHELD_KINDS]
    kinds = (*fillers[: at_once - 1], seen.kind)
    # One second more: some relays take `until` as exclusive.
    return Control(replace(base, kinds=kinds, since=seen.at, until=seen.at + 1, limit=limit), seen.id)


def _parts(kinds: Iterable[int], at_once: int) -> list[Kinds]:
    ordinary = [kind for kind in kinds if kind not in WITHHELD_KINDS]
    return [tuple(ordinary[at : at + at_once]) for at in range(0, len(ordinary), at_once)]
