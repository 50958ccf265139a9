"""Interprets a page of a relay whose order is unknown: it may have chosen any of its events for it.

Nothing of the range counts as read unless all of it fits the page: it is asked for by parts, until each does.
"""

from __future__ import annotations

from producers.connector.coverage.progress import Progress
from producers.connector.crawl.planning.pending_range import Mode, Outcome, PendingRange, apart
from producers.connector.relay_behavior import RelayBehavior
from producers.relay_client.page import Page, Seen
from schemas.records.coverage import GapReason


def after_any_order(
    pending: PendingRange, inside: list[Seen], page: Page, behavior: RelayBehavior, *, shows_all: bool
) -> Outcome:
    """Whether a page has all of its range, which is asked for by parts otherwise.

    Args:
        pending: the range that was asked about.
        inside: the events of the page that are in it, at least one.
        page: the answer.
        behavior: of the relay, learnt into.
        shows_all: no question with kinds could show what this one does not.
    """
    if page.cut is not None:
        fresh = pending.fresh(inside)
        pending.cut = page.cut
        return apart(pending, inside) if fresh else Outcome(pending.unread(page.cut))
    if may_hide(pending, page, behavior):
        return apart(pending, inside)
    ids = {seen.id for seen in inside}
    if any(event_id not in ids for event_id in pending.known):
        if shows_all:
            return Outcome(pending.unread(GapReason.DISAGREEMENT))
        # A question with kinds has shown them: here it withholds too many others.
        behavior.hidden += 1
        pending.mode = Mode.EXPLICIT
        return Outcome(Progress(), [pending])
    if shows_all:
        return Outcome(pending.settled())
    pending.known = {seen.id: seen for seen in inside}
    pending.mode = Mode.CHECK
    return Outcome(Progress(), [pending])


def may_hide(pending: PendingRange, page: Page, behavior: RelayBehavior) -> bool:
    """Whether the page may lack events.

    Relays leave out of a full page what they withhold or have just deleted; parts cost little, so that for them
    half a page is taken for a full one.
    """
    if "more" in page.hints:
        return True
    if pending.since == pending.until:
        return behavior.fills_a_page(len(page.events))
    return not behavior.is_short(2 * len(page.events))
