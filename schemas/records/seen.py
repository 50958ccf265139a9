"""What one probe shows of a relay."""

from __future__ import annotations

from typing import Literal

from schemas.records.probe import Verdict

Seen = Literal["online", "refused", "offline"]
"""Of `HealthState`, what a probe can show."""

_SEEN: dict[Verdict, Seen] = {
    "works": "online",
    "refused_by_policy": "online",
    "refuses_us": "refused",
    "not_nostr": "offline",
    "broken": "offline",
}


def seen(verdict: Verdict) -> Seen:
    """The state that a probe with this verdict shows, or would if it were confirmed."""
    return _SEEN[verdict]
