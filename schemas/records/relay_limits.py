"""The limits that a relay states in its information document, as its health keeps them."""

from __future__ import annotations

from schemas.nostr.relay_document import RelayInformation
from schemas.records.relay_health import Limits


def limits(information: RelayInformation) -> Limits:
    """What a relay says of what it may be asked. A limit of 0 is none: a relay that means it serves nothing."""
    said = information.limitation
    return Limits(
        max_limit=said.max_limit or None,
        max_subscriptions=said.max_subscriptions or None,
        max_subid_length=said.max_subid_length or None,
        max_message_length=said.max_message_length or None,
    )
