"""What one probe shows of a relay."""

from __future__ import annotations

from typing import Literal

from schemas.records.probe import OURS, Cause, Verdict

Seen = Literal["online", "refused", "offline", "unknown"]
"""Of `HealthState`, what a probe can show. unknown: it did not reach for the relay, for a reason of this host's."""

_SEEN: dict[Verdict, Seen] = {
    "works": "online",
    "refused_by_policy": "online",
    "refuses_us": "refused",
    "not_nostr": "offline",
    "broken": "offline",
}


def seen(verdict: Verdict, cause: Cause | None = None) -> Seen:
    """The state that a probe with this verdict and cause shows, or would if it were confirmed."""
    return "unknown" if cause in OURS else _SEEN[verdict]
