"""The rules that an event asks for: deletions (NIP-09) and requests to vanish (NIP-62).

All targets of the event, where `schemas.nostr.facts` states the first 2,000. Whether the asker may have a target erased
is decided where the rule meets the event (`schemas.records.erasure.Erasures`): a target may be unknown yet.
"""

from __future__ import annotations

from collections.abc import Collection

from schemas.nostr.deletion import binds, deletion_targets
from schemas.nostr.event import Event
from schemas.nostr.kinds import DELETION_KIND, VANISH_KIND
from schemas.records.erasure import Cause, Erasure


def requested(event: Event, own_urls: Collection[str], asked_at_ms: int) -> list[Erasure]:
    """State the rules that follow from an accepted event; none for most.

    Args:
        event: its signature was checked, and its `created_at` is one that the archive can hold.
        own_urls: normalised URLs under which the archive is addressed by requests to vanish.
        asked_at_ms: when the event was received, so that a replay states the same.
    """
    if event.kind == DELETION_KIND:
        return _deletions(event, asked_at_ms)
    if event.kind == VANISH_KIND and binds(event, own_urls):
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


def _deletions(event: Event, asked_at_ms: int) -> list[Erasure]:
    targets = deletion_targets(event)
    return [
        Erasure(id=target, pubkey=event.pubkey, cause=Cause.DELETION, request=event.id, erased_at_ms=asked_at_ms)
        for target in targets.ids
    ] + [
        Erasure(
            address=address,
            until_s=event.created_at,
            cause=Cause.DELETION,
            request=event.id,
            erased_at_ms=asked_at_ms,
        )
        for address in targets.addresses
    ]
