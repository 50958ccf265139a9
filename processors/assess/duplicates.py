"""URLs of one host that give the same information document while both are online are one relay."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.relay_urls.preference import preference


def primary(url: str, alike: Iterable[str]) -> str | None:
    """Return the URL that is preferred to this one, or None where this one is.

    Args:
        url: normalised.
        alike: others of its host that are online and give the same document.
    """
    best = min(alike, key=preference, default=url)
    return best if preference(best) < preference(url) else None
