"""What refers to an event: replies, reactions, reposts, zaps and quotes, as filters that find them.

Of a replaceable or addressable event also what refers to its address.
"""

from __future__ import annotations

from enum import StrEnum

from schemas.nostr.event import Event
from schemas.nostr.filters import Filter

_NOTE = 1
_COMMENT = 1111
"""NIP-22."""


class ReferenceClass(StrEnum):
    """How an event refers to another."""

    REPLIES = "replies"
    """Notes (NIP-10) and comments (NIP-22) in whose thread it is."""
    REACTIONS = "reactions"
    """NIP-25."""
    REPOSTS = "reposts"
    """NIP-18."""
    ZAPS = "zaps"
    """Receipts of NIP-57."""
    QUOTES = "quotes"
    """Events of any kind with a `q` tag (NIP-18, NIP-22)."""


_KINDS: dict[ReferenceClass, tuple[int, ...]] = {
    ReferenceClass.REPLIES: (_NOTE, _COMMENT),
    ReferenceClass.REACTIONS: (7,),
    ReferenceClass.REPOSTS: (6, 16),
    ReferenceClass.ZAPS: (9735,),
}


def filters(
    event_id: str, address: str | None, classes: frozenset[ReferenceClass] = frozenset(ReferenceClass)
) -> list[Filter]:
    """The filters that find what refers to an event in these ways.

    Args:
        event_id: 64 hex digits.
        address: of the event (`schemas.nostr.facts.address_of`), if it has one.
        classes: at least one.
    """
    names = {"e": event_id} | ({} if address is None else {"a": address})
    kinds = tuple(sorted(kind for each in classes for kind in _KINDS.get(each, ())))
    found = [Filter(kinds=kinds, tags={letter: (name,)}) for letter, name in names.items() if kinds]
    if ReferenceClass.REPLIES in classes:
        # Comments name the root of their thread in capitals, below it only their parent in small letters.
        found += [Filter(kinds=(_COMMENT,), tags={letter.upper(): (name,)}) for letter, name in names.items()]
    if ReferenceClass.QUOTES in classes:
        found.append(Filter(tags={"q": tuple(names.values())}))
    return found


def classes_of(event: Event, event_id: str, address: str | None) -> list[ReferenceClass]:
    """How an event refers to the other one, as the filters have it."""
    return [
        each
        for each in ReferenceClass
        if any(wanted.matches(event) for wanted in filters(event_id, address, frozenset({each})))
    ]


def is_direct(event: Event, event_id: str, address: str | None) -> bool:
    """Whether a note or comment replies to the event itself, and not to another one of its thread or in passing."""
    if event.kind == _COMMENT:
        names = {event_id, address} - {None}
        return any(len(tag) > 1 and tag[0] in ("e", "a") and tag[1] in names for tag in event.tags)
    tags = [tag for tag in event.tags if len(tag) > 1 and tag[0] == "e"]
    marked = {marker: tag[1] for tag in reversed(tags) if (marker := _marker(tag)) is not None}
    if marked.keys() & {"reply", "root"}:
        return marked.get("reply", marked.get("root")) == event_id
    # Without markers the last one is the parent, as NIP-10 had it before.
    unmarked = [tag[1] for tag in tags if _marker(tag) is None]
    return bool(unmarked) and unmarked[-1] == event_id


def _marker(tag: list[str]) -> str | None:
    return next((item for item in tag[2:4] if item in ("reply", "root", "mention")), None)
