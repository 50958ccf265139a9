"""Times in which a relay was offline, with their evidence: one lasts as long as its state, as far as that is known."""

from __future__ import annotations

from schemas.records.probe import ProbeRecord
from schemas.records.relay_health import MOST_OUTAGES, Outage, RelayHealth
from schemas.records.seen import seen


def is_down(health: RelayHealth) -> bool:
    """Whether an outage lasts."""
    return bool(health.outages) and health.outages[-1].until_ms is None


def after(health: RelayHealth, probe: ProbeRecord, confirmed_since_ms: int | None) -> tuple[Outage, ...]:
    """Return the outages once a probe is known.

    Args:
        health: before it.
        probe: newer than what is known.
        confirmed_since_ms: since when the relay is as the probe shows it; None: that is not confirmed.
    """
    known = health.outages
    shown = seen(probe.verdict, probe.cause)
    if shown == "unknown":
        return known
    is_offline = shown == "offline"
    if is_down(health):
        last = known[-1]
        if is_offline:
            return (*known[:-1], last.model_copy(update={"probes": last.probes + 1}))
        if confirmed_since_ms is not None:
            return (*known[:-1], last.model_copy(update={"until_ms": confirmed_since_ms}))
        return known
    if not is_offline or confirmed_since_ms is None:
        return known
    begun = Outage(
        since_ms=confirmed_since_ms,
        verdict=probe.verdict,
        cause=probe.cause,
        detail=probe.detail,
        probes=1 if confirmed_since_ms == probe.probed_at_ms else 2,
    )
    return (*known, begun)[-MOST_OUTAGES:]
