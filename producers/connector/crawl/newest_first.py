"""What follows from a page of a relay that is trusted to send the newest events first.

The oldest second of the page bounds what is still unread, that second included: the page may end in the middle of it.
So what was shown of it must come again at the top of the next page.
"""

from __future__ import annotations

from enum import Enum, auto

from producers.connector.crawl.pages import Gap, Page, Progress, Seen
from producers.connector.crawl.pending_range import Mode, Outcome, Piece
from producers.connector.relay_behavior import Habits


class Top(Enum):
    """Whether a page shows events again that are known to be at `until`."""

    AGREES = auto()
    """It does, or none are known."""
    UNCLEAR = auto()
    """It does not, perhaps because the relay does not count the second `until` itself."""
    CONTRADICTS = auto()
    """It does not show again what was shown."""


def compare_top(piece: Piece, inside: list[Seen], habits: Habits) -> Top:
    """Compare a page with what is known to be at `until`, learning whether that second is part of what is asked."""
    at_top = any(seen.at == piece.until for seen in inside)
    if piece.probe:
        # Present with one second more, absent without: exclusive. Absent with both: a contradiction.
        if not at_top:
            return Top.CONTRADICTS
        if habits.exclusive_until is None:
            habits.exclusive_until = True
        return Top.AGREES
    if at_top or not piece.knows_top() or (piece.found and not inside):
        return Top.AGREES
    return Top.UNCLEAR if habits.exclusive_until is None else Top.CONTRADICTS


def after_newest_first(piece: Piece, inside: list[Seen], page: Page, habits: Habits, *, shows_all: bool) -> Outcome:
    """What a page settles above its oldest second, and what is left below.

    Args:
        piece: the range that was asked about.
        inside: the events of the page that are in it, at least one.
        page: the answer.
        habits: of the relay, learnt into.
        shows_all: no question with kinds could show what this one does not.
    """
    low = min(seen.at for seen in inside)
    if page.cut is None and any(seen.at < piece.since for seen in page.events):
        return Outcome(piece.settled())
    known = {seen.id: seen for seen in [*piece.known.values(), *inside] if seen.at == low}
    if piece.fresh(inside) and low < piece.until:
        if piece.known:
            habits.proven_cap = max(habits.proven_cap, piece.above)
        # A short page too: the next one may be longer, and what is left may be of kinds that nobody names.
        below = Piece(piece.since, low, known, piece.mode, above=len(page.events))
        return Outcome(Progress(read=[(low + 1, piece.until)]), [below])
    # Asking the same again would bring the same.
    above = [(low + 1, piece.until)] if low < piece.until else []
    rest = [Piece(piece.since, low - 1, mode=piece.mode)] if piece.since < low else []
    if page.cut is not None:
        return Outcome(Progress(above, [Gap(low, low, page.cut)]), rest)
    if habits.fills_a_page(len(page.events)):
        return Outcome(Progress(above), rest, full_second=(low, list(known.values())))
    if shows_all:
        return Outcome(Progress([(low, low), *above]), rest)
    return Outcome(Progress(above), [Piece(piece.since, low, known, Mode.CHECK)])


def after_lost_connection(piece: Piece, inside: list[Seen], habits: Habits) -> Outcome:
    """What the beginning of an answer settles, the rest of which went with the connection: it may be asked again."""
    low, high = min(seen.at for seen in inside), max(seen.at for seen in inside)
    if high < piece.until and (piece.probe or piece.knows_top()):
        # It may not count the second `until` itself, which an answer that was whole would tell.
        piece.probe = habits.exclusive_until is None
        return Outcome(Progress(), [piece])
    if low == piece.until:
        return Outcome(Progress(), [piece])
    known = {seen.id: seen for seen in inside if seen.at == low}
    return Outcome(Progress(read=[(low + 1, piece.until)]), [Piece(piece.since, low, known, piece.mode)])
