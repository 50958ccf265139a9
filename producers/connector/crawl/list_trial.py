"""Finds the longest list of kinds that a relay accepts: some refuse long ones, others truncate them silently."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from core.clock import CLOCK
from producers.connector.asking import Asker
from producers.connector.coverage.claims import NOW_S, Claims
from producers.connector.kind_lists import SIZES, control, sample, smaller
from producers.connector.known_filters import WITHHELD_KINDS
from producers.connector.relay_behavior import MOST_KINDS_ASKED
from producers.connector.relay_model import Model, Name
from producers.relay_client.page import Seen
from producers.relay_client.refusals import AskOtherwiseError
from schemas.nostr.filters import Filter
from schemas.nostr.kinds import MAX_KIND

SAMPLE = 10
"""Events that are looked at for one to be a control."""


async def try_closing_list(asker: Asker, model: Model, claims: Claims) -> None:
    """See once a visit whether the list of kinds that closes a range is read to its end.

    Raises:
        AskOtherwiseError: it is not, so that the relay is read by shorter lists from now on.
    """
    bare = next((base for base in claims.reading.values() if base.kinds is None), None)
    if bare is None or model.behavior.kinds_read is not None or model.list_length is not None:
        return
    if not claims.sample:
        before_s = int(CLOCK.now_s()) - 2 * NOW_S
        claims.sample = await asker.show(replace(bare, until=before_s, limit=SAMPLE)) or []
    if await _reads_closing_list(asker, model, bare, claims.sample):
        model.behavior.kinds_read = model.behavior.most_kinds
        return
    claims.drop()
    fewer = smaller(model.behavior.most_kinds) or 1
    words = f"a known event did not come for a list of {model.behavior.most_kinds} kinds"
    model.learn(Name.LIST_LENGTH, fewer, words, int(CLOCK.now_s()))
    raise AskOtherwiseError(words)


async def _reads_closing_list(asker: Asker, model: Model, base: Filter, sample: Sequence[Seen]) -> bool:
    """Whether a relay that takes filters as they are also reads a list of kinds as long as closes a range.

    Shown by one of two known events. Where none is known there is nothing that the list could miss.

    Raises:
        RelayError: the connection has ended.
    """
    at_once = min(model.behavior.most_kinds, MOST_KINDS_ASKED)
    known = [seen for seen in sample if 0 <= seen.kind <= MAX_KIND and seen.kind not in WITHHELD_KINDS]
    missed = False
    for seen in known[:2]:
        asked, event_id = control(base, seen, at_once, model.behavior.limit)
        shown = await asker.show(asked)
        if shown is not None and any(each.id == event_id for each in shown):
            return True
        missed = missed or shown is not None
    return not missed


async def kinds_that_are_read(asker: Asker, model: Model, base: Filter, known: tuple[int, ...]) -> int:
    """How many kinds a filter may name so that the last of them is looked at too; at least one.

    Shown by a known event that comes when its kind is the last of the list. A relay that shows no event of known kinds
    may cut lists off anywhere; only single kinds prove something there.

    Args:
        asker: of an open connection.
        model: says how many kinds the relay has not refused; learnt into.
        base: the filter that is to be read.
        known: kinds to look for an event of.

    Raises:
        AskOtherwiseError: it refuses a list for its length.
        RelayError: the connection has ended.
    """
    name = Name.LIST_LENGTH if model.kinds_at_once is None else Name.KINDS_AT_ONCE
    at_once = model.kinds_of(base) or 1
    seen = await _known_event(asker, base, known, at_once, min(model.behavior.limit, SAMPLE))
    if seen is None:
        return 1
    while True:
        asked, event_id = control(base, seen, at_once, model.behavior.limit)
        shown = await asker.show(asked)
        if shown is not None and any(each.id == event_id for each in shown):
            return at_once
        fewer = smaller(at_once)
        if fewer is None:
            return at_once
        evidence = f"a known event did not come for a list of {at_once} kinds"
        model.learn(name, fewer, evidence, int(CLOCK.now_s()))
        at_once = fewer


async def _known_event(asker: Asker, base: Filter, known: tuple[int, ...], at_once: int, limit: int) -> Seen | None:
    for size in SIZES:
        if size > at_once:
            continue
        shown = await asker.show(sample(base, known, size, limit))
        # The oldest: of the newest seconds there may be more by the next question.
        usable = [each for each in shown or () if 0 <= each.kind <= MAX_KIND]
        if usable:
            return min(usable, key=lambda each: each.at)
    return None
