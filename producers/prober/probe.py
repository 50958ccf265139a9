"""One probe of a relay: the checks that are due, one attempt or two, and the record of it."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from core.clock import CLOCK
from producers.prober.means import Means
from producers.prober.run_checks import Findings, run_checks
from producers.prober.target import Target
from producers.prober.verdict import Judged, judged
from schemas.records.probe import OURS, Checks, ProbeRecord
from schemas.records.relay_document import RelayDocumentRecord


class Outcome(NamedTuple):
    """What came of a probe.

    Attributes:
        record: for `raw.probes`.
        document: the relay's information document, for `relays.documents` unless it is there already.
    """

    record: ProbeRecord
    document: RelayDocumentRecord | None


async def probe(target: Target, means: Means, *, full: bool, attempts: int = 2) -> Outcome:
    """Probe a relay. Never raises, whatever the relay does; its sockets are closed at the end.

    Args:
        target: the relay.
        means: what it is probed with.
        full: with all checks; else open and read.
        attempts: so many, the second after `prober.retry_s`, where the relay does not answer: "down" is said only then.
    """
    probed_at_ms = CLOCK.now_ms()
    number, found, verdict = 0, Findings(Checks()), Judged("broken")
    while number < attempts:
        if number:
            await asyncio.sleep(means.settings.retry_s)
        number += 1
        found = await run_checks(target, means, full=full)
        verdict = judged(found.checks)
        if verdict.verdict != "broken" or verdict.cause in OURS:
            # What fails by a setting of ours would fail again.
            break
    record = ProbeRecord(
        url=target.url.url,
        network=target.url.network,
        is_full=full,
        attempts=number,
        verdict=verdict.verdict,
        cause=verdict.cause,
        detail=verdict.detail,
        checks=found.checks,
        observed=found.observed,
        probed_at_ms=probed_at_ms,
        by=means.by,
    )
    return Outcome(record, found.document)
