"""When a relay is probed again, and with which checks. Pure: told what is known of it and the time.

A relay that was online is probed each `prober.interval_s`, and with all checks each `prober.full_interval_s`. One that
was not is probed as often as connectors try a silent relay (`RETRY_TIERS_S`), yet never more often than one that works.
"""

from __future__ import annotations

from hashlib import sha256
from typing import NamedTuple

from core.settings.monitoring import ProberSettings
from schemas.records.probe import ProbeRecord, Verdict
from schemas.records.relay import RETRY_TIERS_S, RelayRecord
from schemas.records.seen import seen

SPREAD = 0.1
"""A wait is up to so much shorter, by the hash of the URL: relays that were probed at one moment are not the next time,
and none is later than its interval says."""


class Known(NamedTuple):
    """What is known of the probes of a relay.

    Attributes:
        probed_at_ms: when the newest one began.
        full_at_ms: the newest one with all checks; None: never.
        failures: in a row, that did not find the relay online.
        verdict: of the newest one.
    """

    probed_at_ms: int
    full_at_ms: int | None
    failures: int
    verdict: Verdict | None


def known_after(before: Known | None, probe: ProbeRecord) -> Known:
    """What is known once a probe is over."""
    failures = before.failures if before is not None else 0
    match seen(probe.verdict, probe.cause):
        case "online":
            failures = 0
        case "refused" | "offline":
            failures += 1
    full_at_ms = probe.probed_at_ms if probe.is_full else before and before.full_at_ms
    return Known(probe.probed_at_ms, full_at_ms, failures, probe.verdict)


def wait_ms(record: RelayRecord, known: Known | None, settings: ProberSettings) -> int:
    """From one probe of a relay to the next."""
    failures = _failures(record, known)
    tier_s = RETRY_TIERS_S[min(failures, len(RETRY_TIERS_S)) - 1] if failures else 0.0
    return round(1000 * max(settings.interval_s, tier_s) * (1 - SPREAD * _share(record.url)))


def is_full(record: RelayRecord, known: Known | None, now_ms: int, settings: ProberSettings) -> bool:
    """Whether a probe now is to be with all checks: after the next one they would be late."""
    if known is None or known.full_at_ms is None:
        return True
    return now_ms + wait_ms(record, known, settings) > known.full_at_ms + 1000 * settings.full_interval_s


def _failures(record: RelayRecord, known: Known | None) -> int:
    """Failures in a row, by the newest that is known: a connector that speaks with the relay ends them too."""
    report = record.report
    if report is None or (known is not None and report.at_ms <= known.probed_at_ms):
        return 0 if known is None else known.failures
    if report.state == "confirmed":
        return 0
    return report.tries if known is None else known.failures


def _share(url: str) -> float:
    """A number from 0 to 1 that belongs to a URL."""
    return int.from_bytes(sha256(url.encode()).digest()[:4]) / 2**32
