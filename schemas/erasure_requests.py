"""What an event asks to be erased: deletion requests (NIP-09) and requests to vanish (NIP-62).

All targets of the event, where `schemas.facts` states the first 2,000. Whether the asker may have a target erased is
decided where the rule meets the event (`schemas.erasure.Erasures`): a target may be unknown yet.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from schemas.erasure import Cause, Erasure
from schemas.event import Event
from schemas.kinds import DELETION_KIND, VANISH_KIND
from schemas.relay_url import RelayUrlError, normalize

ALL_RELAYS = "ALL_RELAYS"
"""NIP-62: the request binds every relay, and so every archive."""

_ID = re.compile(r"[0-9a-f]{64}")
_ADDRESS = re.compile(r"([0-9]{1,5}):([0-9a-f]{64}):(.*)", re.DOTALL)


def requested(event: Event, own_urls: Collection[str], asked_at_ms: int) -> list[Erasure]:
    """State the rules that follow from an accepted event; none for most.

    Args:
        event: its signature was checked, and its `created_at` is one that the archive can hold.
        own_urls: normalised URLs under which the archive is addressed by requests to vanish.
        asked_at_ms: when the event was received, so that a replay states the same.
    """
    if event.kind == DELETION_KIND:
        return _deletions(event, asked_at_ms)
    if event.kind == VANISH_KIND and is_bound(event, own_urls):
        return [
            Erasure(
                pubkey=event.pubkey,
                until_s=event.created_at,
                cause=Cause.VANISH,
                request=event.id,
                erased_at_ms=asked_at_ms,
            )
        ]
    return []


def is_bound(event: Event, own_urls: Collection[str]) -> bool:
    """Whether a request to vanish is addressed to the archive: one of its URLs is named, or all relays are."""
    return any(value == ALL_RELAYS or _normal(value) in own_urls for value in dict.fromkeys(_values(event, "relay")))


def _deletions(event: Event, asked_at_ms: int) -> list[Erasure]:
    ids = dict.fromkeys(value for value in _values(event, "e") if _ID.fullmatch(value))
    addresses = dict.fromkeys(
        f"{int(match[1])}:{match[2]}:{match[3]}"
        for value in _values(event, "a")
        if (match := _ADDRESS.fullmatch(value)) and match[2] == event.pubkey
    )
    return [
        Erasure(id=target, pubkey=event.pubkey, cause=Cause.DELETION, request=event.id, erased_at_ms=asked_at_ms)
        for target in ids
    ] + [
        Erasure(
            address=address,
            until_s=event.created_at,
            cause=Cause.DELETION,
            request=event.id,
            erased_at_ms=asked_at_ms,
        )
        for address in addresses
    ]


def _values(event: Event, name: str) -> list[str]:
    return [tag[1] for tag in event.tags if len(tag) > 1 and tag[0] == name]


def _normal(value: str) -> str | None:
    try:
        return normalize(value, allow_private=True).url  # compared only, never connected to
    except RelayUrlError:
        return None
