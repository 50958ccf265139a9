"""Which of several URLs of one relay is preferred."""

from __future__ import annotations

_PLAIN = "ws://"


def preference(url: str) -> tuple[bool, int, int, str]:
    """What normalised URLs of one relay are ordered by, the preferred first: a secure one, the root, the shortest."""
    path = url.partition("://")[2].partition("/")[2]
    return url.startswith(_PLAIN), len(path), len(url), url
