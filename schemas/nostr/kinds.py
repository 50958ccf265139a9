"""Kinds of events and the classes that NIP-01 derives from them."""

from __future__ import annotations

from enum import StrEnum

METADATA_KIND = 0
CONTACTS_KIND = 3
DELETION_KIND = 5
"""NIP-09."""
VANISH_KIND = 62
"""NIP-62."""
GIFT_WRAP_KIND = 1059
"""NIP-59."""
DIRECT_MESSAGE_KIND = 4
"""NIP-04."""
PRIVATE_KINDS = frozenset({DIRECT_MESSAGE_KIND, GIFT_WRAP_KIND})
"""Given to their author and recipients only (NIP-17 and NIP-59 ask relays for it; NIP-04's are as private)."""
AUTH_KIND = 22242
"""NIP-42: proves an identity to one relay. Archiving it would leak a credential."""
MAX_KIND = 65535
"""NIP-01. Larger ones circulate, because not every relay checks."""


REPLACEABLE_KINDS = range(10_000, 20_000)
EPHEMERAL_KINDS = range(20_000, 30_000)
ADDRESSABLE_KINDS = range(30_000, 40_000)
"""NIP-01."""


class EventClass(StrEnum):
    """How relays store a kind (NIP-01). The archive keeps every version and ephemeral ones by a setting."""

    REGULAR = "regular"
    REPLACEABLE = "replaceable"
    EPHEMERAL = "ephemeral"
    ADDRESSABLE = "addressable"


def classify(kind: int) -> EventClass:
    """The class of a kind. Ranges that NIP-01 leaves undefined are regular: kinds in them are in use."""
    if kind in REPLACEABLE_KINDS or kind in (METADATA_KIND, CONTACTS_KIND):
        return EventClass.REPLACEABLE
    if kind in EPHEMERAL_KINDS:
        return EventClass.EPHEMERAL
    if kind in ADDRESSABLE_KINDS:
        return EventClass.ADDRESSABLE
    return EventClass.REGULAR
