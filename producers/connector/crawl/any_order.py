"""What follows from a page of a relay that may have chosen any of its events for it.

Nothing of the range counts as read unless all of it fits the page: it is asked for by parts, until each does.
"""

from __future__ import annotations

from producers.connector.crawl.pages import Page, Progress, Seen
from producers.connector.crawl.pending_range import Mode, Outcome, Piece, apart
from producers.connector.relay_behavior import Habits
from schemas.records.coverage import GapReason


def after_any_order(piece: Piece, inside: list[Seen], page: Page, habits: Habits, *, shows_all: bool) -> Outcome:
    """Whether a page has all of its range, which is asked for by parts otherwise.

    Args:
        piece: the range that was asked about.
        inside: the events of the page that are in it, at least one.
        page: the answer.
        habits: of the relay, learnt into.
        shows_all: no question with kinds could show what this one does not.
    """
    if page.cut is not None:
        fresh = piece.fresh(inside)
        piece.cut = page.cut
        return apart(piece, inside) if fresh else Outcome(piece.unread(page.cut))
    if may_hide(piece, page, habits):
        return apart(piece, inside)
    ids = {seen.id for seen in inside}
    if any(event_id not in ids for event_id in piece.known):
        if shows_all:
            return Outcome(piece.unread(GapReason.DISAGREEMENT))
        # A question with kinds has shown them: here it withholds too many others.
        habits.hidden += 1
        piece.mode = Mode.EXPLICIT
        return Outcome(Progress(), [piece])
    if shows_all:
        return Outcome(piece.settled())
    piece.known = {seen.id: seen for seen in inside}
    piece.mode = Mode.CHECK
    return Outcome(Progress(), [piece])


def may_hide(piece: Piece, page: Page, habits: Habits) -> bool:
    """Whether the page may lack events.

    Relays leave out of a full page what they withhold or have just deleted; parts cost little, so that for them
    half a page is taken for a full one.
    """
    if "more" in page.hints:
        return True
    if piece.since == piece.until:
        return habits.fills_a_page(len(page.events))
    return not habits.is_short(2 * len(page.events))
