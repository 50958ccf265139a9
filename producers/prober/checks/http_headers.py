"""What the headers of an HTTP answer say of the server: its software, its clock, its character set."""

from __future__ import annotations

import email.utils
import re
from collections.abc import Mapping

from producers.prober.checks.words import words
from schemas.records.probe import HttpCheck

USER_AGENT = "bigbrotr (Nostr archive and relay monitor)"
"""Some relays answer only with one, and operators see who asks."""
_IMF_FIXDATE = re.compile(r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT")
"""RFC 9110 section 5.6.7: the one form that may be sent."""
_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE)


def http_check(headers: Mapping[str, str], took_ms: int | None) -> HttpCheck:
    """Record what an answer says of its server.

    Args:
        headers: without regard to case.
        took_ms: until they were there; None: not measured.
    """
    return HttpCheck(
        ok=True,
        took_ms=took_ms,
        server=words(headers.get("Server", "")) or None,
        powered_by=words(headers.get("X-Powered-By", "")) or None,
    )


def clock_difference_s(headers: Mapping[str, str], now_s: float) -> float | None:
    """How far the server's clock is ahead of ours, to a second; None if it does not tell, or a cache speaks for it."""
    value = headers.get("Date", "").strip()
    if "Age" in headers or not _IMF_FIXDATE.fullmatch(value):
        return None
    try:
        at_s = email.utils.parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError):
        return None
    # The header has whole seconds, rounded down.
    return round(at_s + 0.5 - now_s, 1)


def charset(content_type: str) -> str | None:
    """The character set that a Content-Type names."""
    found = _CHARSET.search(content_type)
    return None if found is None else found[1]
