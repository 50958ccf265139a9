"""Reads what was found: only a URL in the spelling of a key is taken, and a spelling only where it is one of it."""

from __future__ import annotations

from functools import lru_cache

from processors.relay_keys import UnusableError, normalized
from schemas.records.relay_found import RelayFound
from schemas.relay_urls.relay_url import RelayUrlError, normalize

_REMEMBERED = 1024
"""The same URL is asked about for its news and for its command: some seconds of them."""
_MOST_BYTES = 16 * 1024
"""A URL and its spelling are 2 KiB each, a detail 200 characters; the rest are short lists."""


def read_found(value: bytes | None) -> RelayFound:
    """Decode a record of `relays.found`, which anything may have written.

    Raises:
        UnusableError: it is none, or too long for one.
    """
    if value is None or len(value) > _MOST_BYTES:
        raise UnusableError("too_long", f"{len(value or b'')} bytes; 1 to {_MOST_BYTES} are taken")
    try:
        found = RelayFound.decode(value)
    except ValueError as error:
        raise UnusableError("unreadable", str(error).partition("\n")[0]) from None
    spelled = None if found.spelling is None else normalized(found.spelling)
    if spelled is not None and spelled.url == found.url:
        return found
    # A connector dials the spelling: it must not lead elsewhere.
    return found.model_copy(update={"spelling": None})


@lru_cache(maxsize=_REMEMBERED)
def is_private(url: str) -> bool:
    """Whether the host of a URL is an address or a name that means something in one network only."""
    try:
        normalize(url)
    except RelayUrlError:
        return True
    return False
