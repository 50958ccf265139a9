"""Reads the keys of records about relays: normalised URLs, in records that anything may have written."""

from __future__ import annotations

from functools import lru_cache

from schemas.relay_urls.relay_url import RelayUrl, RelayUrlError, normalize

_REMEMBERED = 1024
"""The same URL is read for its news, for its command and for its echo: some seconds of them."""


class UnusableError(ValueError):
    """A record is not taken.

    Attributes:
        reason: one of few words, for a metric.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason


def read_key(url: str) -> RelayUrl | None:
    """Read a key; None where it is no URL, or not spelled as keys are."""
    relay = normalized(url)
    return relay if relay is not None and relay.url == url else None


@lru_cache(maxsize=_REMEMBERED)
def normalized(url: str) -> RelayUrl | None:
    """Read a URL, at whatever address; None where it is none."""
    try:
        return normalize(url, allow_private=True)
    except RelayUrlError:
        return None
