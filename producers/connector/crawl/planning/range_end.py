"""Decides when a range is complete: after an empty page, and after the question with kinds that follows it.

Nothing is concluded from an empty page alone: relays cap pages silently, and count events that they then withhold
against the limit (docs/explanation/relays.md). So a second question, which names the kinds that are known, must show
nothing that the first had not shown.
"""

from __future__ import annotations

from collections.abc import Iterable

from producers.connector.coverage.progress import Progress
from producers.connector.crawl.planning.any_order import may_hide
from producers.connector.crawl.planning.pending_range import Mode, Outcome, PendingRange, apart
from producers.connector.relay_behavior import MOST_HIDDEN, RelayBehavior
from producers.relay_client.page import Page, Seen
from schemas.records.coverage import GapReason


def after_nothing(
    pending: PendingRange, page: Page, behavior: RelayBehavior, *, trusted: bool, shows_all: bool
) -> Outcome:
    """What follows from a page that shows nothing of the range.

    Args:
        pending: the range that was asked about.
        page: the answer.
        behavior: of the relay, learnt into.
        trusted: the relay sends the newest first.
        shows_all: no question with kinds could show what this one does not.
    """
    reason = page.proves_nothing or _crowded(pending, page, behavior, trusted=trusted)
    if reason is not None:
        return Outcome(pending.unread(reason))
    passed = trusted and any(seen.at < pending.since for seen in page.events)
    if passed or shows_all:
        return Outcome(pending.settled())
    if pending.found:
        # A question with kinds has shown events that are not shown without: here it withholds too many others.
        behavior.hidden += 1
        pending.mode = Mode.EXPLICIT
    else:
        pending.mode = Mode.CHECK
    return Outcome(Progress(), [pending])


def after_check(
    pending: PendingRange,
    inside: list[Seen],
    page: Page,
    behavior: RelayBehavior,
    *,
    trusted: bool,
    kinds: Iterable[int],
) -> Outcome:
    """What follows from the answer to the question with kinds, asked where the open one showed nothing more.

    Args:
        pending: the range that was asked about.
        inside: the events of the page that are in it.
        page: the answer.
        behavior: of the relay, learnt into.
        trusted: the relay sends the newest first.
        kinds: that were named.
    """
    if page.finished:
        return Outcome(pending.settled())
    fresh = pending.fresh(inside)
    if not fresh:
        return _confirmed(pending, inside, page, behavior, trusted=trusted, kinds=kinds)
    known = {**pending.known, **{seen.id: seen for seen in inside}}
    if not trusted:
        pending.known, pending.mode, pending.cut = known, Mode.OPEN, pending.cut or page.cut
        return apart(pending, inside)
    high = max(seen.at for seen in fresh)
    known = {event_id: seen for event_id, seen in known.items() if seen.at == high}
    mode = Mode.EXPLICIT if behavior.hidden >= MOST_HIDDEN else Mode.OPEN
    read = [(high + 1, pending.until)] if high < pending.until else []
    return Outcome(Progress(read=read), [PendingRange(pending.since, high, known, mode, found=True)])


def _confirmed(
    pending: PendingRange,
    inside: list[Seen],
    page: Page,
    behavior: RelayBehavior,
    *,
    trusted: bool,
    kinds: Iterable[int],
) -> Outcome:
    """The question with kinds has shown nothing that was not known."""
    if behavior.fills_a_page(len(page.events)) and inside:
        # What it did not show may have had no room.
        return apart(pending, inside)
    asked = set(kinds)
    controls = {seen.id for seen in pending.known.values() if seen.kind in asked}
    unheard = bool(controls) and controls.isdisjoint(seen.id for seen in inside)
    if (unheard or page.complaint) and behavior.lower_kinds():
        return Outcome(Progress(), [pending])
    reason = page.proves_nothing or _crowded(pending, page, behavior, trusted=trusted)
    reason = reason or (GapReason.DISAGREEMENT if unheard else None)
    if page.complaint and not inside:
        reason = reason or GapReason.CLOSED
    return Outcome(pending.settled() if reason is None else pending.unread(reason))


def _crowded(pending: PendingRange, page: Page, behavior: RelayBehavior, *, trusted: bool) -> GapReason | None:
    """Why nothing follows from what is not on a page that may be full of what was not asked for."""
    crowded = behavior.ignores_since and not trusted and may_hide(pending, page, behavior)
    return GapReason.FILTER_IGNORED if crowded else None
