"""Reads what was found: only a URL in the spelling of a key is taken, and a spelling only where it is one of it."""

from __future__ import annotations

from functools import lru_cache

from schemas.records.relay_found import RelayFound
from schemas.relay_urls.relay_url import RelayUrl, RelayUrlError, normalize

_REMEMBERED = 1024
"""The same URL is read for its news, for its command and for its echo: some seconds of them."""
_MOST_BYTES = 16 * 1024
"""A URL and its spelling are 2 KiB each, a detail 200 characters; the rest are short lists."""


class UnusableError(ValueError):
    """What was found is not taken.

    Attributes:
        reason: one of few words, for a metric.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason


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
    spelled = None if found.spelling is None else _normalized(found.spelling)
    if spelled is not None and spelled.url == found.url:
        return found
    # A connector dials the spelling: it must not lead elsewhere.
    return found.model_copy(update={"spelling": None})


def read_key(url: str) -> RelayUrl | None:
    """Read a key; None where it is no URL, or not spelled as keys are."""
    relay = _normalized(url)
    return relay if relay is not None and relay.url == url else None


@lru_cache(maxsize=_REMEMBERED)
def is_private(url: str) -> bool:
    """Whether the host of a URL is an address or a name that means something in one network only."""
    try:
        normalize(url)
    except RelayUrlError:
        return True
    return False


@lru_cache(maxsize=_REMEMBERED)
def _normalized(url: str) -> RelayUrl | None:
    try:
        return normalize(url, allow_private=True)
    except RelayUrlError:
        return None
