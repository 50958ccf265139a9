"""What other monitors say of a relay by NIP-66 events: kept beside what we saw, which it never changes.

There is no event for a relay that is offline: silence is all that a monitor says then. Keys cost nothing, so that a
place is never taken from a monitor that still speaks: who makes up a hundred monitors has the places that are free.
"""

from __future__ import annotations

from collections.abc import Iterable

from schemas.records.relay_health import MOST_MONITORS, Claim

_SILENT_S = 7 * 86_400
"""A monitor that said nothing of a relay for so long has given it up: they publish each hour to each day."""
_AHEAD_S = 900
"""Clocks differ; a claim of a later time than this would hold its place, and count as new, when it is not."""


def credible(said: Iterable[Claim], now_s: int) -> list[Claim]:
    """Leave out claims of times to come.

    Args:
        said: claims of any time.
        now_s: Unix time at which they were said, as far as is known.
    """
    return [claim for claim in said if claim.at_s <= now_s + _AHEAD_S]


def merged(known: Iterable[Claim], said: Iterable[Claim]) -> tuple[Claim, ...]:
    """Return the newest claim of each monitor, at most `MOST_MONITORS`, the newest last.

    Args:
        known: claims that are kept.
        said: others, of any age.
    """
    kept = {claim.monitor: claim for claim in known}
    for claim in sorted(said, key=_age):
        before = kept.get(claim.monitor)
        if before is None and len(kept) >= MOST_MONITORS:
            oldest = min(kept.values(), key=_age)
            if oldest.at_s + _SILENT_S > claim.at_s:
                continue
            del kept[oldest.monitor]
        if before is None or _age(before) < _age(claim):
            kept[claim.monitor] = claim
    return tuple(sorted(kept.values(), key=_age))


def quorum(claims: Iterable[Claim], *, now_s: int, hours: int) -> int:
    """How many monitors said within the last hours that a relay was online.

    Args:
        claims: of the relay.
        now_s: Unix time.
        hours: a claim that is older does not count.
    """
    since_s = now_s - 3600 * hours
    return sum(since_s <= claim.at_s for claim in claims)


def _age(claim: Claim) -> tuple[int, str, int]:
    return claim.at_s, claim.monitor, -1 if claim.rtt_open_ms is None else claim.rtt_open_ms
