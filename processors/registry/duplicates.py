"""Decides which URLs are one relay, of which one is read: reversible, since it is decided anew from the records.

Two rules (NIP-01: a relay serves one websocket endpoint, and must not serve the same on other paths): the `ws` twin of
a `wss` URL, both on their default ports; and a path that events alone name, beside the root of the same server. Both
only while the other one is confirmed, for a relay that does not answer is no reason to leave another.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from schemas.records.relay import RelayRecord

Lookup = Callable[[str], RelayRecord | None]
"""Gives the record of a URL that is read and confirmed, or None."""

_PLAIN, _SECURE = "ws://", "wss://"


def primary(url: str, sources: Collection[str], lookup: Lookup) -> str | None:
    """Return the URL that is read instead of this one, or None where it is read itself.

    Args:
        url: normalised.
        sources: who named it.
        lookup: of others.
    """
    for better in _better(url, only_events=set(sources) == {"event"}):
        other = lookup(better)
        # Each step leads from `ws` to `wss` or from a path to the root, so this ends.
        if other is not None and primary(better, other.sources, lookup) is None:
            return better
    return None


def can_be_primary(record: RelayRecord, *, admitted: bool) -> bool:
    """Whether a record can be the one of several that is read."""
    confirmed = record.report is not None and record.report.state == "confirmed"
    return admitted and confirmed and record.allowed and record.lane != "ignored"


def _better(url: str, *, only_events: bool) -> list[str]:
    """Give the URLs that may be the same relay and are preferred, the best first."""
    scheme, authority, path = _parts(url)
    twin = _SECURE if scheme == _PLAIN and not _has_port(authority) else None
    found = []
    if path and only_events:
        found += [start + authority for start in (twin, scheme) if start is not None]
    if twin is not None:
        found.append(twin + authority + path)
    return found


def _parts(url: str) -> tuple[str, str, str]:
    scheme = _PLAIN if url.startswith(_PLAIN) else _SECURE
    authority, slash, rest = url.removeprefix(scheme).partition("/")
    return scheme, authority, slash + rest


def _has_port(authority: str) -> bool:
    """Whether a normalised URL names a port, which it does where it is not the scheme's default."""
    return ":" in authority.rpartition("]")[2]
