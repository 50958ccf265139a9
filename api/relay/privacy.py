"""Which REQs and COUNTs need a login: those that ask for private kinds (4 and 1059) alone."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from schemas.nostr.filters import Filter
from schemas.nostr.kinds import GIFT_WRAP_KIND, PRIVATE_KINDS


def names_private_kinds(filters: Sequence[Filter]) -> bool:
    """Whether a login would make a difference that the client asks for by name."""
    return any(each.kinds is not None and not PRIVATE_KINDS.isdisjoint(each.kinds) for each in filters)


def refusal(filters: Sequence[Filter], keys: Collection[str]) -> str | None:
    """Why nothing that is asked for may be given to who has proved these public keys; None: something may be."""
    if not all(each.kinds is not None and PRIVATE_KINDS.issuperset(each.kinds) for each in filters):
        return None
    if not keys:
        return "auth-required: events of kinds 4 and 1059 are given to their authors and recipients only"
    if not any(_may_concern(each, keys) for each in filters):
        return "restricted: events of kinds 4 and 1059 of others are not given; authenticate as an author or recipient"
    return None


def _may_concern(wanted: Filter, keys: Collection[str]) -> bool:
    """Whether a filter for private kinds asks for events that one of the keys wrote or is to read.

    Gift wraps are signed by a key that is used once, which is none of those that authenticate.
    """
    is_own = wanted.authors is None and set(wanted.kinds or ()) != {GIFT_WRAP_KIND}
    is_own = is_own or not set(keys).isdisjoint(wanted.authors or ())
    recipients = wanted.tags.get("p")
    return is_own or recipients is None or not set(keys).isdisjoint(recipients)
