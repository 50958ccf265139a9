"""What a relay is seen to do beside answering: COUNT (NIP-45), NEG-OPEN (NIP-77), EOSE hints (NIP-67), its pages."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, replace

from producers.prober.dialogue import Dialogue
from producers.relay_client.client import RelayClient
from producers.relay_client.refusals import RelayError
from schemas.negentropy.client import Reconciliation
from schemas.nostr.filters import Filter
from schemas.nostr.messages import Counted, NegErr, NegMsg
from schemas.records.probe import Observed

PAGE_LIMIT = 500
"""Events that one question asks for: what most relays give at most, and connectors ask for."""
UNKNOWN_VERB_S = 5.0
"""For the answer to a message that a relay may not know: most of these say nothing to it."""
_RECENT_S = 60
"""What is reconciled, in seconds before now: the answer names few ids."""


@dataclass(slots=True)
class _Seen:
    """What was seen until the connection ended, or all was asked."""

    counts: bool | None = None
    hints: bool | None = None
    reconciles: bool | None = None
    largest_page: int | None = None


async def observe(dialogue: Dialogue, served: Filter, *, now_s: float, timeout_s: float) -> Observed:
    """Ask what is optional.

    Args:
        dialogue: with the relay.
        served: a question that it answers.
        now_s: the time of day.
        timeout_s: for a page; what came until then counts.
    """
    seen = _Seen()
    # That it ended is no news: what was seen before holds.
    with contextlib.suppress(RelayError):
        await dialogue.before_end(_ask(dialogue.client, seen, served, int(now_s), timeout_s))
    return Observed(counts=seen.counts, hints=seen.hints, reconciles=seen.reconciles, largest_page=seen.largest_page)


async def _ask(client: RelayClient, seen: _Seen, served: Filter, now_s: int, timeout_s: float) -> None:
    optional_s = min(timeout_s, UNKNOWN_VERB_S)
    all_served = replace(served, limit=None)
    # One after another: a notice names no message that it is about.
    first = Reconciliation([]).initiate()
    async with client.exchanges.opened(replace(all_served, since=now_s - _RECENT_S), first) as exchange:
        # An error of NIP-77, such as for too many events, is an answer too.
        seen.reconciles = isinstance(await exchange.next(optional_s), NegMsg | NegErr)
    seen.counts = isinstance(await client.count(all_served, optional_s), Counted)
    await _page(client, seen, replace(served, limit=PAGE_LIMIT), timeout_s)


async def _page(client: RelayClient, seen: _Seen, asked: Filter, timeout_s: float) -> None:
    client.forget_notices()
    page = await client.request_page(asked)
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await client.wait_for(page, timeout_s)
    finally:
        # Also where the relay went beyond its budget: so much came.
        if page.answered.is_set() and page.closed is None:
            seen.largest_page = len(page.ids)
        if page.eose is not None:
            seen.hints = bool(page.eose)
    await client.release(page)
