"""One probe of a relay: the checks that are due, one attempt or two, and the record of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from core.clock import CLOCK
from core.waiting import brief
from producers.prober.checks.observing import observe
from producers.prober.checks.opening import Opened, check_open
from producers.prober.checks.reading import Read, check_read
from producers.prober.checks.words import words
from producers.prober.checks.writing import Terms, check_write
from producers.prober.dialogue import Dialogue, opened_dialogue
from producers.prober.means import Means
from producers.prober.target import Target
from producers.prober.verdict import Judged, judged
from producers.relay_client.dialling import patience
from schemas.nostr.relay_document import Limitation
from schemas.records.probe import Cause, Checks, Observed, OpenCheck, ProbeRecord, ReadCheck, WriteCheck
from schemas.records.relay_document import RelayDocumentRecord

logger = logging.getLogger(__name__)

T = TypeVar("T")
_SETTLED: frozenset[Cause] = frozenset({"no_proxy", "address"})
"""Steps that fail by a setting or a rule of ours: a second attempt would end like the first."""


class Outcome(NamedTuple):
    """What came of a probe.

    Attributes:
        record: for `raw.probes`.
        document: the relay's information document, for `relays.documents` unless it is there already.
    """

    record: ProbeRecord
    document: RelayDocumentRecord | None


@dataclass(frozen=True, slots=True)
class _Attempt:
    """What one attempt found."""

    checks: Checks
    observed: Observed = field(default_factory=Observed)
    document: RelayDocumentRecord | None = None


async def probe(target: Target, means: Means, *, full: bool, attempts: int = 2) -> Outcome:
    """Probe a relay. Never raises, whatever the relay does; its sockets are closed at the end.

    Args:
        target: the relay.
        means: what it is probed with.
        full: with all checks; else open and read.
        attempts: so many, the second after `prober.retry_s`, where the relay does not answer: "down" is said only then.
    """
    probed_at_ms = CLOCK.now_ms()
    number, found, verdict = 0, _Attempt(Checks()), Judged("broken")
    while number < attempts:
        if number:
            await asyncio.sleep(means.settings.retry_s)
        number += 1
        found = await _attempt(target, means, full=full)
        verdict = judged(found.checks)
        if verdict.verdict != "broken" or verdict.cause in _SETTLED:
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


async def _attempt(target: Target, means: Means, *, full: bool) -> _Attempt:
    opened = await _safe(
        check_open(target, means.dialling),
        lambda error: Opened(OpenCheck(ok=False, error=error, cause="handshake")),
    )
    async with AsyncExitStack() as closing:
        dialogue = None
        if opened.connection is not None:
            dialogue = await closing.enter_async_context(opened_dialogue(opened.connection, means.key))
        async with asyncio.TaskGroup() as group:
            said = group.create_task(_converse(dialogue, target, means, opened, full=full))
    read, write, observed = said.result()
    return _Attempt(Checks(open=opened.check, read=read, write=write), observed)


async def _converse(
    dialogue: Dialogue | None, target: Target, means: Means, opened: Opened, *, full: bool
) -> tuple[ReadCheck | None, WriteCheck | None, Observed]:
    """What is asked over the websocket, one after another."""
    observed = Observed(clock_difference_s=opened.clock_difference_s)
    if dialogue is None:
        return None, None, observed
    settings, times = means.settings, patience(target.url.network)
    read = await _safe(
        check_read(dialogue, settings.read_timeout_s * times),
        lambda error: Read(ReadCheck(ok=False, error=error, cause="read", is_nostr=dialogue.is_nostr)),
    )
    observed = observed.model_copy(update={"auth_required": read.auth_required})
    if not full:
        return read.check, None, observed
    write = None
    if settings.write and means.key is not None and read.check.is_nostr:
        terms = Terms(Limitation(), opened.clock_difference_s)
        write = await _safe(
            check_write(dialogue, means.key, terms, now_s=CLOCK.now_s(), timeout_s=settings.write_timeout_s * times),
            lambda error: WriteCheck(ok=False, error=error),
        )
    if read.served is not None:
        seen = await _safe(
            observe(dialogue, read.served, now_s=CLOCK.now_s(), timeout_s=settings.read_timeout_s * times),
            lambda _: Observed(),
        )
        observed = observed.model_copy(update=seen.model_dump(exclude_none=True))
    return read.check, write, observed


async def _safe(check: Coroutine[Any, Any, T], otherwise: Callable[[str], T]) -> T:
    """The outcome of a check, also where a relay found a fault of ours."""
    try:
        return await check
    except Exception as unexpected:
        logger.exception("unexpected failure of a check")
        return otherwise(words(f"unexpected failure: {brief(unexpected)}"))
