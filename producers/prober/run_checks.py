"""One attempt at the checks that are due: first open, then all that do not depend on one another at once."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from core.clock import CLOCK
from core.waiting import brief
from producers.prober.checks.dns import check_dns
from producers.prober.checks.http_headers import http_check
from producers.prober.checks.nip11 import Nip11Outcome, check_nip11
from producers.prober.checks.observing import observe
from producers.prober.checks.opening import Opened, check_open
from producers.prober.checks.reading import Read, check_read
from producers.prober.checks.route import Route
from producers.prober.checks.tls import check_tls
from producers.prober.checks.words import words
from producers.prober.checks.writing import Terms, check_write
from producers.prober.dialogue import Dialogue, opened_dialogue
from producers.prober.means import Means
from producers.prober.target import Target
from producers.relay_client.dialling import patience
from schemas.nostr.relay_document import Limitation
from schemas.records.probe import (
    Checks,
    DnsCheck,
    HttpCheck,
    Nip11Check,
    Observed,
    OpenCheck,
    ReadCheck,
    SslCheck,
    WriteCheck,
)
from schemas.records.relay_document import RelayDocumentRecord

logger = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Findings:
    """What the checks of one attempt found."""

    checks: Checks
    observed: Observed = field(default_factory=Observed)
    document: RelayDocumentRecord | None = None


class _Said(NamedTuple):
    """What was said over the websocket."""

    read: ReadCheck | None = None
    write: WriteCheck | None = None
    observed: Observed = Observed()


async def run_checks(target: Target, means: Means, *, full: bool) -> Findings:
    """Run the checks. Raises nothing; all that it opened is closed at the end."""
    opened = await _safe(
        check_open(target, means.dialling), lambda error: Opened(OpenCheck(ok=False, error=error, cause="handshake"))
    )
    async with AsyncExitStack() as closing:
        dialogue = None
        if opened.connection is not None:
            dialogue = await closing.enter_async_context(opened_dialogue(opened.connection, means.key))
        if full:
            return await _all(target, means, opened, dialogue)
        observed = Observed(clock_difference_s=opened.clock_difference_s)
        if dialogue is None:
            return Findings(Checks(open=opened.check), observed)
        read = await _read(dialogue, target, means)
        return Findings(
            Checks(open=opened.check, read=read.check),
            observed.model_copy(update={"auth_required": read.auth_required}),
        )


async def _all(target: Target, means: Means, opened: Opened, dialogue: Dialogue | None) -> Findings:
    settings, url, address = means.settings, target.url, opened.check.address
    route = Route(target.record, url, means.dialling, address)
    asking_nip11 = check_nip11(route, timeout_s=settings.nip11_timeout_s, most_bytes=settings.nip11_max_bytes)
    async with asyncio.TaskGroup() as group:
        asked = group.create_task(_safe(asking_nip11, lambda error: Nip11Outcome(Nip11Check(ok=False, error=error))))
        dns = group.create_task(
            _safe(check_dns(url, means.dns, settings.dns_timeout_s), lambda error: DnsCheck(ok=False, error=error))
        )
        tls = group.create_task(
            _safe(check_tls(route, timeout_s=settings.ssl_timeout_s), lambda error: SslCheck(ok=False, error=error))
        )
        conversed = group.create_task(_converse(dialogue, target, means, asked, opened.clock_difference_s))
    nip11, said = asked.result(), conversed.result()
    places = None if address is None else means.places
    return Findings(
        Checks(
            open=opened.check,
            read=said.read,
            write=said.write,
            nip11=nip11.check,
            ssl=tls.result(),
            dns=dns.result(),
            geo=None if places is None or address is None else places.geo(address),
            net=None if places is None or address is None else places.net(address),
            http=nip11.http or _http(opened),
        ),
        said.observed.model_copy(
            update={"clock_difference_s": _known(nip11.clock_difference_s, opened.clock_difference_s)}
        ),
        nip11.document,
    )


async def _converse(
    dialogue: Dialogue | None,
    target: Target,
    means: Means,
    asked: asyncio.Task[Nip11Outcome],
    clock_difference_s: float | None,
) -> _Said:
    """Ask over the websocket, one thing after another."""
    if dialogue is None:
        return _Said()
    read = await _read(dialogue, target, means)
    observed, times = Observed(auth_required=read.auth_required), patience(target.url.network)
    write = None
    if means.settings.write and means.key is not None and read.check.is_nostr:
        nip11 = await asked
        limitation = Limitation() if nip11.information is None else nip11.information.limitation
        terms = Terms(limitation, _known(nip11.clock_difference_s, clock_difference_s))
        timeout_s = means.settings.write_timeout_s * times
        write = await _safe(
            check_write(dialogue, means.key, terms, now_s=CLOCK.now_s(), timeout_s=timeout_s),
            lambda error: WriteCheck(ok=False, error=error),
        )
    if read.served is not None:
        timeout_s = means.settings.read_timeout_s * times
        seen = await _safe(
            observe(dialogue, read.served, now_s=CLOCK.now_s(), timeout_s=timeout_s), lambda _: Observed()
        )
        observed = observed.model_copy(update=seen.model_dump(exclude_none=True))
    return _Said(read.check, write, observed)


async def _read(dialogue: Dialogue, target: Target, means: Means) -> Read:
    return await _safe(
        check_read(dialogue, means.settings.read_timeout_s * patience(target.url.network)),
        lambda error: Read(ReadCheck(ok=False, error=error, cause="read", is_nostr=dialogue.is_nostr)),
    )


def _http(opened: Opened) -> HttpCheck | None:
    """What the answer to the handshake says of the server, where the document was not answered at all."""
    return None if opened.headers is None else http_check(opened.headers, opened.check.took_ms)


def _known(first: float | None, second: float | None) -> float | None:
    return second if first is None else first


async def _safe(check: Coroutine[Any, Any, T], otherwise: Callable[[str], T]) -> T:
    """The outcome of a check, also where a relay found a fault of ours."""
    try:
        return await check
    except Exception as unexpected:
        logger.exception("unexpected failure of a check")
        return otherwise(words(f"unexpected failure: {brief(unexpected)}"))
