"""Interprets a page of a relay that is known to send the newest events first.

The oldest second of the page bounds what is still unread, that second included: the page may end in the middle of it.
So what was shown of it must come again at the top of the next page.
"""

from __future__ import annotations

from enum import Enum, auto

from producers.connector.coverage.progress import Gap, Progress
from producers.connector.crawl.planning.pending_range import Mode, Outcome, PendingRange
from producers.connector.relay_behavior import RelayBehavior
from producers.relay_client.page import Page, Seen


class Top(Enum):
    """Whether a page shows events again that are known to be at `until`."""

    AGREES = auto()
    """It does, or none are known."""
    UNCLEAR = auto()
    """It does not, perhaps because the relay does not count the second `until` itself."""
    CONTRADICTS = auto()
    """It does not show again what was shown."""


def compare_top(pending: PendingRange, inside: list[Seen], behavior: RelayBehavior) -> Top:
    """Compare a page with what is known to be at `until`, learning whether that second is part of what is asked."""
    at_top = any(seen.at == pending.until for seen in inside)
    if pending.probe:
        # Present with one second more, absent without: exclusive. Absent with both: a contradiction.
        if not at_top:
            return Top.CONTRADICTS
        if behavior.exclusive_until is None:
            behavior.exclusive_until = True
        return Top.AGREES
    if at_top or not pending.knows_top() or (pending.found and not inside):
        return Top.AGREES
    return Top.UNCLEAR if behavior.exclusive_until is None else Top.CONTRADICTS


def after_newest_first(
    pending: PendingRange, inside: list[Seen], page: Page, behavior: RelayBehavior, *, shows_all: bool
) -> Outcome:
    """What a page settles above its oldest second, and what is left below.

    Args:
        pending: the range that was asked about.
        inside: the events of the page that are in it, at least one.
        page: the answer.
        behavior: of the relay, learnt into.
        shows_all: no question with kinds could show what this one does not.
    """
    low = min(seen.at for seen in inside)
    if page.cut is None and any(seen.at < pending.since for seen in page.events):
        return Outcome(pending.settled())
    known = {seen.id: seen for seen in [*pending.known.values(), *inside] if seen.at == low}
    if pending.fresh(inside) and low < pending.until:
        if pending.known:
            behavior.proven_cap = max(behavior.proven_cap, pending.above)
        # A short page too: the next one may be longer, and what is left may be of kinds that no question names.
        below = PendingRange(pending.since, low, known, pending.mode, above=len(page.events))
        return Outcome(Progress(read=[(low + 1, pending.until)]), [below])
    # Asking the same again would bring the same.
    above = [(low + 1, pending.until)] if low < pending.until else []
    rest = [PendingRange(pending.since, low - 1, mode=pending.mode)] if pending.since < low else []
    if page.cut is not None:
        return Outcome(Progress(above, [Gap(low, low, page.cut)]), rest)
    if behavior.fills_a_page(len(page.events)):
        return Outcome(Progress(above), rest, full_second=(low, list(known.values())))
    if shows_all:
        return Outcome(Progress([(low, low), *above]), rest)
    return Outcome(Progress(above), [PendingRange(pending.since, low, known, Mode.CHECK)])


def after_lost_connection(pending: PendingRange, inside: list[Seen], behavior: RelayBehavior) -> Outcome:
    """What the beginning of an answer settles, the rest of which went with the connection: it may be asked again."""
    low, high = min(seen.at for seen in inside), max(seen.at for seen in inside)
    if high < pending.until and (pending.probe or pending.knows_top()):
        # It may not count the second `until` itself, which an answer that was whole would tell.
        pending.probe = behavior.exclusive_until is None
        return Outcome(Progress(), [pending])
    if low == pending.until:
        return Outcome(Progress(), [pending])
    known = {seen.id: seen for seen in inside if seen.at == low}
    return Outcome(Progress(read=[(low + 1, pending.until)]), [PendingRange(pending.since, low, known, pending.mode)])
