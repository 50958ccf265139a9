"""Enrichment: facts about an accepted event from its own text, published in the record beside it.

Only what is there is stated, so that the common record stays small. Size and delay are left out: the record itself
holds the bytes, `created_at` and `seen_at`. Facts stay smaller than the event they come from: a text is repeated once
at most, and lists are capped; a capped list is flagged by `capped`, and the event beside it has the rest.
"""

from __future__ import annotations

import re

from schemas.nostr.event import Event
from schemas.nostr.event_id import IdForm
from schemas.nostr.kinds import DELETION_KIND, VANISH_KIND, EventClass, classify

MAX_TARGETS = 2_000
"""Common relays refuse events with more tags than this (strfry and rust-nostr by default)."""
FUTURE_S = 3_600
"""Clocks of authors that are less than an hour ahead are not worth a flag; crawlers treat the last hour apart too."""
EXPIRATION_END = 2**40
"""An expiration beyond the range of archived dates is none."""
MAX_POW_BITS = 256
"""An id has this many bits."""

_DIGITS = re.compile(r"[0-9]{1,15}")
"""ASCII digits only: `int` takes other scripts, signs and underscores. 15 digits are far beyond any date."""
_HEX_ID = re.compile(r"[0-9a-f]{64}")
_ADDRESS = re.compile(r"[0-9]{1,5}:([0-9a-f]{64}):", re.DOTALL)


def facts(event: Event, id_form: IdForm, seen_at_ms: int) -> dict[str, object]:
    """State the facts of an accepted event.

    Args:
        event: an event whose verdict is accepted.
        id_form: which serialisation its id fits.
        seen_at_ms: when this copy was received; the only notion of now, so that a replay states the same facts.

    Returns:
        `class` always, and where they apply: `address` (kind:pubkey:d of replaceable and addressable events),
        `expiration` (seconds, NIP-40), `pow` (committed bits that the id really has, NIP-13), `protected` (NIP-70),
        `future` (dated more than an hour after it was seen), `del_form` (the id is of the DEL form),
        `deletes` ({ids, addresses}, NIP-09), `vanish` ({relays}, NIP-62), `capped` (a list is not complete).
    """
    found: dict[str, object] = {"class": classify(event.kind).value}
    if (address := address_of(event)) is not None:
        found["address"] = address
    if event.created_at * 1000 > seen_at_ms + FUTURE_S * 1000:
        found["future"] = True
    if id_form is IdForm.DEL:
        found["del_form"] = True
    if event.tags:
        _add_from_tags(found, event)
    return found


def address_of(event: Event) -> str | None:
    """The address (kind:pubkey:d) of a replaceable or addressable event, whose newest version counts (NIP-01)."""
    event_class = classify(event.kind)
    if event_class is EventClass.ADDRESSABLE:
        return f"{event.kind}:{event.pubkey}:{first_value(event.tags, 'd') or ''}"
    return f"{event.kind}:{event.pubkey}:" if event_class is EventClass.REPLACEABLE else None


def expiration(event: Event) -> int | None:
    """When an event expires, in seconds, or None if its first such tag is missing or wrong (NIP-40)."""
    value = first_value(event.tags, "expiration")
    if value is None or not _DIGITS.fullmatch(value):
        return None
    seconds = int(value)
    return seconds if seconds < EXPIRATION_END else None


def _add_from_tags(found: dict[str, object], event: Event) -> None:
    kind, tags = event.kind, event.tags
    names = {tag[0] for tag in tags if tag}
    if "expiration" in names and (expires_s := expiration(event)) is not None:
        found["expiration"] = expires_s
    if "nonce" in names and (bits := _committed_pow(event)):
        found["pow"] = bits
    if "-" in names:
        found["protected"] = True
    if kind == DELETION_KIND:
        _add_deletes(found, event)
    elif kind == VANISH_KIND:
        _add_vanish(found, tags)


def first_value(tags: list[list[str]], name: str) -> str | None:
    """The value of the first tag of a name, or None if there is no such tag or it has no value."""
    for tag in tags:
        if tag and tag[0] == name:
            return tag[1] if len(tag) > 1 else None
    return None


def _committed_pow(event: Event) -> int:
    """The bits of work that the event commits to (third item of its nonce tag), or 0 if its id has fewer."""
    nonce = next(tag for tag in event.tags if tag and tag[0] == "nonce")
    if len(nonce) < 3 or not _DIGITS.fullmatch(nonce[2]):  # noqa: PLR2004 (name, nonce, target)
        return 0
    target = int(nonce[2])
    return target if target <= MAX_POW_BITS - int(event.id, 16).bit_length() else 0


def _add_deletes(found: dict[str, object], event: Event) -> None:
    """State the targets of a deletion request. Addresses of other authors are none; ids may turn out to be."""
    ids = list(
        dict.fromkeys(tag[1] for tag in event.tags if len(tag) > 1 and tag[0] == "e" and _HEX_ID.fullmatch(tag[1]))
    )
    addresses = list(
        dict.fromkeys(
            tag[1]
            for tag in event.tags
            if len(tag) > 1 and tag[0] == "a" and (m := _ADDRESS.match(tag[1])) and m[1] == event.pubkey
        )
    )
    if ids or addresses:
        found["deletes"] = {"ids": ids[:MAX_TARGETS], "addresses": addresses[:MAX_TARGETS]}
    if len(ids) > MAX_TARGETS or len(addresses) > MAX_TARGETS:
        found["capped"] = True


def _add_vanish(found: dict[str, object], tags: list[list[str]]) -> None:
    relays = list(dict.fromkeys(tag[1] for tag in tags if len(tag) > 1 and tag[0] == "relay"))
    if relays:
        found["vanish"] = {"relays": relays[:MAX_TARGETS]}
    if len(relays) > MAX_TARGETS:
        found["capped"] = True
