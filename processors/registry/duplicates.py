"""Decides which URLs are one relay, of which one is read: reversible, since it is decided anew from the records.

Three rules (NIP-01: a relay serves one websocket endpoint, and must not serve the same on other paths): the `ws` twin
of a `wss` URL, both on their default ports; a path that events alone name, beside the root of the same server; and a
URL that no person and no seed list names, beside a preferred one of its host that probes found online with the same
information document. All only while the other one is confirmed, for a relay that does not answer is no reason to leave
another.
"""

from __future__ import annotations

from collections.abc import Callable

from processors.registry.admission import is_free
from schemas.records.relay import RelayRecord
from schemas.relay_urls.preference import preference

Lookup = Callable[[str], RelayRecord | None]
"""Gives the record of a URL that is read and confirmed, or None."""

_PLAIN, _SECURE = "ws://", "wss://"


def primary(record: RelayRecord, lookup: Lookup) -> str | None:
    """Return the URL that is read instead of that of a record, or None where it is read itself.

    Args:
        record: what is known of it.
        lookup: of others.
    """
    for better in _better(record):
        other = lookup(better)
        # Each step leads to a URL that is preferred, so this ends.
        if other is not None and primary(other, lookup) is None:
            return better
    return None


def can_be_primary(record: RelayRecord, *, admitted: bool) -> bool:
    """Whether a record can be the one of several that is read."""
    confirmed = record.report is not None and record.report.state == "confirmed"
    return admitted and confirmed and record.allowed and record.lane != "ignored"


def _better(record: RelayRecord) -> list[str]:
    """Give the URLs that may be the same relay and are preferred, the best first."""
    scheme, authority, path = _parts(record.url)
    twin = _SECURE if scheme == _PLAIN and not _has_port(authority) else None
    found = []
    if path and set(record.sources) == {"event"}:
        found += [start + authority for start in (twin, scheme) if start is not None]
    if twin is not None:
        found.append(twin + authority + path)
    if record.same_document is not None and record.same_document.url is not None and not is_free(record):
        same = record.same_document.url
        if _host(same) == _host(record.url) and preference(same) < preference(record.url):
            found.append(same)
    return found


def _host(url: str) -> str:
    """The host of a normalised URL."""
    authority = _parts(url)[1]
    return authority.rpartition(":")[0] if _has_port(authority) else authority


def _parts(url: str) -> tuple[str, str, str]:
    scheme = _PLAIN if url.startswith(_PLAIN) else _SECURE
    authority, slash, rest = url.removeprefix(scheme).partition("/")
    return scheme, authority, slash + rest


def _has_port(authority: str) -> bool:
    """Whether a normalised URL names a port, which it does where it is not the scheme's default."""
    return ":" in authority.rpartition("]")[2]
