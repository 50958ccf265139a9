"""Who may delete what: targets of deletions (NIP-09), relays of requests to vanish (NIP-62)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from hashlib import sha256
from typing import NamedTuple

from schemas.nostr.event import Event
from schemas.nostr.kinds import GIFT_WRAP_KIND, EventClass, classify
from schemas.relay_urls.relay_url import RelayUrlError, normalize

ALL_RELAYS = "ALL_RELAYS"
"""Stands for every relay in a request to vanish (NIP-62)."""
MAX_VANISH_RELAYS = 100
"""Several times what people's lists of relays hold; a request meant for more says ALL_RELAYS, which has no such limit.
An event has room for 40,000 URLs, and bringing one to its spelling takes 5 µs."""

_HEX_ID = re.compile(r"[0-9a-f]{64}")
_ADDRESS = re.compile(r"([0-9]{1,5}):([0-9a-f]{64}):(.*)", re.DOTALL)


class Targets(NamedTuple):
    """What a deletion names, each once, in its order.

    `ids` (64 hex digits) may turn out to be events that the author may not delete. `addresses` are kind:pubkey:d with
    the kind as a plain number, of the author alone and of kinds that have addresses.
    """

    ids: list[str]
    addresses: list[str]


def deletion_targets(event: Event) -> Targets:
    """The targets of an event of kind 5. Of an address it deletes the versions up to its own `created_at`."""
    ids: dict[str, None] = {}
    addresses: dict[str, None] = {}
    for tag in event.tags:
        if len(tag) < 2:  # noqa: PLR2004 (name, value)
            continue
        name, value = tag[0], tag[1]
        if name == "e" and _HEX_ID.fullmatch(value):
            ids[value] = None
        elif name == "a" and (found := _ADDRESS.fullmatch(value)) and found[2] == event.pubkey:
            kind = int(found[1])
            if classify(kind) in (EventClass.REPLACEABLE, EventClass.ADDRESSABLE):
                addresses[f"{kind}:{found[2]}:{found[3]}"] = None
    return Targets(list(ids), list(addresses))


def recipients(event: Event) -> list[bytes]:
    """The keys (32 bytes each) that a gift wrap is for, who may delete it like its author (NIP-59); none otherwise."""
    if event.kind != GIFT_WRAP_KIND:
        return []
    keys = [tag[1] for tag in event.tags if len(tag) > 1 and tag[0] == "p"]
    return [bytes.fromhex(key) for key in keys if _HEX_ID.fullmatch(key)]


def address_sha256(address: str) -> bytes:
    """The hash by which an address (kind:pubkey:d) is kept: 32 bytes, where `d` may be as long as an event.

    An event in quarantine may hold half a surrogate pair.
    """
    return sha256(address.encode("utf-8", "surrogatepass")).digest()


def vanish_relays(event: Event) -> list[str]:
    """The relays that an event of kind 62 names: ALL_RELAYS, normalised URLs, and as they stand what are none.

    Of values other than ALL_RELAYS the first `MAX_VANISH_RELAYS` different ones.
    """
    return list(dict.fromkeys(_relays_named(event)))


def binds(event: Event, own_urls: Collection[str]) -> bool:
    """Whether an event of kind 62 is meant for an archive with these URLs (normalised).

    It is if `vanish_relays` has ALL_RELAYS or one of them, which is what the view `binding_vanish_requests` asks.
    """
    return any(relay == ALL_RELAYS or relay in own_urls for relay in _relays_named(event))


def _relays_named(event: Event) -> Iterator[str]:
    """One after another, so that nothing is normalised behind the one that decides."""
    values: set[str] = set()
    for tag in event.tags:
        if len(tag) < 2 or tag[0] != "relay":  # noqa: PLR2004 (name, value)
            continue
        value = tag[1]
        if value == ALL_RELAYS:
            yield value
        elif len(values) < MAX_VANISH_RELAYS and value not in values:
            values.add(value)
            yield _relay(value)


def _relay(value: str) -> str:
    try:
        return normalize(value, allow_private=True).url
    except RelayUrlError:
        return value
