"""The check `write`: an event of the monitor's own, which the relay is to take and give back.

Its kind is 30078 (NIP-78, data of one application) with a `d` of its own: addressable, so that each one replaces the
one before and nothing piles up; no client shows it; and it may stay. Nothing is sent that the relay's document says it
would not take.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from pydantic import SecretStr

from core.tasks import first_of
from producers.prober.checks.policy import named_policy
from producers.prober.checks.words import words
from producers.prober.dialogue import Dialogue
from producers.relay_client.client import RelayClient
from producers.relay_client.loop_clock import loop_s
from producers.relay_client.refusals import RelayError
from schemas.nostr.event import Event
from schemas.nostr.event_id import compute_id
from schemas.nostr.filters import Filter
from schemas.nostr.proof_of_work import work
from schemas.nostr.relay_document import Limitation
from schemas.nostr.signature import public_key, sign
from schemas.records.probe import Cause, WriteCheck

PROBE_KIND = 30_078
_TAGS = [["d", "bigbrotr-probe"]]
_CONTENT = "A relay monitor looks whether this relay takes events. Each one replaces the one before."
MOST_POW_BITS = 20
"""A second of one core on average, every four hours; 24 bits take a quarter of a minute."""
_MOST_TRIES = 8 << MOST_POW_BITS
"""One event of 3,000 with the most bits needs more: e**-8."""
_TRIES_AT_ONCE = 1000
"""In a turn of the event loop: 1 ms."""
_READ_AGAIN_S = 1.0
"""Until an event that was taken is asked for again: some write to their database after the OK."""


class Terms(NamedTuple):
    """What a relay wants of those who write.

    Attributes:
        limitation: of its document.
        clock_difference_s: its clock less ours; None: not known.
    """

    limitation: Limitation = Limitation()
    clock_difference_s: float | None = None


async def check_write(
    dialogue: Dialogue, key: SecretStr, terms: Terms, *, now_s: float, timeout_s: float
) -> WriteCheck:
    """Publish an event and ask for it.

    Args:
        dialogue: with the relay.
        key: of the monitor, 64 hex digits.
        terms: of the relay.
        now_s: the time of day.
        timeout_s: for work, for AUTH, for the answer to the event, and for reading it back, each.
    """
    if (against := _against(terms.limitation)) is not None:
        cause, why = against
        return WriteCheck(ok=False, cause=cause, error=f"not tried: its document says {why}")
    try:
        async with asyncio.timeout(timeout_s):
            event = await _signed(key, terms, now_s)
    except TimeoutError:
        return WriteCheck(ok=False, cause="pow", error=f"no proof of work was found within {timeout_s:g} s")
    try:
        return await dialogue.before_end(_write(dialogue.client, event, timeout_s))
    except RelayError as error:
        return WriteCheck(ok=False, error=words(str(error)), event_id=event.id)


def dated_s(terms: Terms, now_s: float) -> int:
    """When an event is to be dated, by our time, within the limits that a relay measures by its own clock."""
    theirs_s, at_s = now_s + (terms.clock_difference_s or 0.0), now_s
    if terms.limitation.created_at_upper_limit is not None:
        at_s = min(at_s, theirs_s + terms.limitation.created_at_upper_limit)
    if terms.limitation.created_at_lower_limit is not None:
        at_s = max(at_s, theirs_s - terms.limitation.created_at_lower_limit)
    return int(at_s)


def _against(limitation: Limitation) -> tuple[Cause, str] | None:
    """What the document says against writing."""
    if limitation.payment_required:
        return "payment", "payment_required"
    if limitation.restricted_writes:
        return "whitelist", "restricted_writes"
    bits = limitation.min_pow_difficulty or 0
    return ("pow", f"min_pow_difficulty {bits}, above the {MOST_POW_BITS} done here") if bits > MOST_POW_BITS else None


async def _signed(key: SecretStr, terms: Terms, now_s: float) -> Event:
    """The event, with the work that the relay wants.

    Raises:
        TimeoutError: no nonce was found in time.
    """
    secret, bits = bytes.fromhex(key.get_secret_value()), terms.limitation.min_pow_difficulty or 0
    draft = Event("", public_key(secret), dated_s(terms, now_s), PROBE_KIND, _TAGS, _CONTENT, "")
    event = await _worked(draft, bits) if bits > 0 else draft._replace(id=compute_id(draft))
    return event._replace(sig=sign(secret, bytes.fromhex(event.id)))


async def _worked(draft: Event, bits: int) -> Event:
    for first in range(0, _MOST_TRIES, _TRIES_AT_ONCE):
        found = work(draft, bits, first, _TRIES_AT_ONCE)
        if found is not None:
            return found
        await asyncio.sleep(0)
    raise TimeoutError


async def _write(client: RelayClient, event: Event, timeout_s: float) -> WriteCheck:
    client.forget_notices()
    began_s = loop_s()
    answer = await client.publish(event, timeout_s)
    took_ms = round((loop_s() - began_s) * 1000)
    if answer is None:
        notice = client.notice
        return WriteCheck(
            ok=False,
            error=f"no OK within {timeout_s:g} s",
            cause=None if notice is None else named_policy(notice.text),
            event_id=event.id,
            words=None if notice is None else words(notice.text) or None,
        )
    said = words(answer.text) or None
    if not answer.accepted:
        cause = named_policy(answer.text)
        return WriteCheck(
            ok=False, error="refused the event", cause=cause, event_id=event.id, accepted=False, words=said
        )
    read_back = await _gives(client, event, timeout_s)
    return WriteCheck(
        ok=read_back,
        took_ms=took_ms if read_back else None,
        error=None if read_back else "took the event and does not give it",
        event_id=event.id,
        accepted=True,
        read_back=read_back,
        words=said,
    )


async def _gives(client: RelayClient, event: Event, timeout_s: float) -> bool:
    """Whether the relay gives an event when asked by its id, or when asked again a moment later."""
    for wait_s in (0.0, _READ_AGAIN_S):
        await asyncio.sleep(wait_s)
        page = await client.request_page(Filter(ids=(event.id,), limit=1))
        await first_of(page.answered, timeout_s=timeout_s)
        given = page.events > 0
        await client.release(page)
        if given:
            return True
    return False
