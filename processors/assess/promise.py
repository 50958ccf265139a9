"""For how long a probe stands: until the next one, and no longer than the schedule promises one.

After that a relay's state is unknown, and its seconds are neither up nor down.
"""

from __future__ import annotations

from schemas.records.relay_health import RelayHealth, Stood

_UNSAID_S = 3_600
"""Of a probe that does not say when the next one is due: the default interval of the prober (`prober.interval_s`)."""
_LONGEST_S = 7 * 86_400
"""The last tier of silent relays; a longer promise is an error of its writer."""


def stands_s(next_in_s: int | None) -> int:
    """For how many seconds a probe stands: half as long again as until the next one is due, for jitter and delays."""
    return min(next_in_s or _UNSAID_S, _LONGEST_S) * 3 // 2


def lapses_at_ms(health: RelayHealth) -> int | None:
    """When the state becomes unknown unless a probe comes; None where no probe was."""
    if health.probed_at_ms is None:
        return None
    return health.probed_at_ms + 1000 * stands_s(health.next_in_s)


def as_of(health: RelayHealth, at_ms: int) -> RelayHealth:
    """Return a record with the state as of a time: unknown where the newest probe no longer stands.

    It goes both ways: a clock may have said too early that no probe came, while one waited to be read.
    """
    lapses = lapses_at_ms(health)
    if lapses is None:
        return health
    before = health.lapsed_from
    if at_ms < lapses:
        if before is None:
            return health
        restored = {"state": before.state, "since_ms": before.since_ms, "judged_at_ms": health.probed_at_ms}
        return health.model_copy(update=restored | {"lapsed_from": None})
    if health.state == "unknown":
        return health
    stood = Stood(health.state, health.since_ms)
    lapsed = {"state": "unknown", "since_ms": lapses, "judged_at_ms": lapses, "lapsed_from": stood}
    return health.model_copy(update=lapsed)
