"""Reads one window page by page, and knows when it is read.

Newest first: a page is asked with `until` at the oldest second seen, that second included, because a page may end in
the middle of it. A relay that is not known to send the newest first is asked by parts of the window instead, until each
fits a page.

Nothing is concluded from a short or an empty page: relays cap pages silently, and count events that they then withhold
(nostr-facts section 11, rules 1 to 4 and 9). A range ends with the hint `finish` (NIP-67), or when a second question,
which names the kinds that are known, shows nothing that the first had not shown.
"""

from __future__ import annotations

from producers.relays.habits import MOST_HIDDEN, Habits
from producers.relays.order import Order
from producers.relays.pages import FOREVER, Gap, Page, Progress, Query, Seen
from producers.relays.piece import Mode, Piece, parts
from producers.relays.vocabulary import RelayVocabulary, readable_kinds, says_kinds
from schemas.coverage import GapReason
from schemas.filters import Filter
from schemas.ranges import Range


class WindowReader:
    """One window: ask `query`, feed the page, until `query` is None."""

    def __init__(self, window: Range, base: Filter, vocabulary: RelayVocabulary, habits: Habits) -> None:
        """Read a window with the filter `base`, learning into `habits` how the relay answers."""
        self.queries = 0
        self.largest_page = 0
        self.full_second: tuple[int, list[Seen]] | None = None
        """A second with more events than a page, and those shown of it. Whoever takes it apart sets this to None."""
        self._window = window
        self._base = base
        self._vocabulary = vocabulary
        self._habits = habits
        self._pieces = [Piece(*window)]
        self._order = Order(habits)
        # Where there is nothing else to ask for, nothing else can be shown.
        self._says_all = says_kinds(base) or not readable_kinds(base, vocabulary, 1)

    @property
    def left(self) -> list[Range]:
        """What is unread, the newest first."""
        return [(piece.since, piece.until) for piece in reversed(self._pieces)]

    def query(self) -> Query | None:
        """What to ask next; None when the window is settled. The same until `feed` is called."""
        if not self._pieces:
            return None
        piece = self._pieces[-1]
        asked = piece.query(self._habits, self._kinds(piece), trusted=self._order.trusted(piece))
        page = self._order.on_trial
        return asked if page is None else self._order.trial(page, asked)

    def skip(self, seconds: int, reason: GapReason) -> Progress:
        """Leave so many seconds, from the newest unread one down, as a gap."""
        piece = self._pieces.pop()
        self._order.on_trial = None
        low = max(piece.since, piece.until - seconds + 1)
        if piece.since < low:
            self._pieces.append(Piece(piece.since, low - 1))
        return Progress(gaps=[Gap(low, piece.until, reason)])

    def refused(self, reason: GapReason) -> Progress | None:
        """The relay does not answer the present question. None if it is the open one: then it answers nothing."""
        piece = self._pieces[-1]
        if self._order.on_trial is not None:
            self._habits.unsorted = True
            self._order.on_trial = None
            return Progress()
        if piece.mode is Mode.OPEN:
            return None
        if self._habits.lower_kinds():
            return Progress()
        self._pieces.pop()
        return piece.unread(reason)

    def feed(self, page: Page) -> Progress:
        """Take in the page that answers `query`."""
        self.queries += 1
        piece = self._pieces[-1]
        self.largest_page = max(self.largest_page, sum(1 for seen in page.events if seen.at >= piece.since))
        if page.older and not self._habits.ignores_since:
            self._habits.ignores_since = True
            return Progress()
        self._learn_bounds(piece, page)
        if piece.mode is not Mode.CHECK:
            self._order.learn(page.events)
        page = self._order.judge(piece, page) or page
        inside = [seen for seen in page.events if piece.since <= seen.at <= piece.until]
        if any(seen.at > piece.until for seen in page.events) and not (
            inside and self._habits.is_short(len(page.events))
        ):
            # The one second more may have filled the page, and has shown that it need not be asked for.
            return Progress()
        return self._checked(piece, inside, page) if piece.mode is Mode.CHECK else self._taken(piece, inside, page)

    def cut(self, page: Page) -> Progress:
        """Take in the beginning of an answer, the rest of which went with the connection: it may be asked again."""
        piece = self._pieces[-1]
        inside = [seen for seen in page.events if piece.since <= seen.at <= piece.until]
        on_trial = self._order.on_trial is not None
        if on_trial or piece.mode is Mode.CHECK or not inside or not self._order.trusted(piece):
            return Progress()
        low, high = min(seen.at for seen in inside), max(seen.at for seen in inside)
        if high < piece.until and (piece.probe or piece.knows_top()):
            # It may not count the second `until` itself, which an answer that was whole would tell.
            piece.probe = self._habits.exclusive_until is None
            return Progress()
        if low == piece.until:
            return Progress()
        known = {seen.id: seen for seen in inside if seen.at == low}
        self._pieces[-1] = Piece(piece.since, low, known, piece.mode)
        return Progress(read=[(low + 1, piece.until)])

    def flooded(self, page: Page) -> Progress:
        """Take in the beginning of an answer that was cut off for its length: more than fits was asked for."""
        self.queries += 1
        self.largest_page = max(self.largest_page, len(page.events))
        piece = self._pieces[-1]
        self._order.on_trial = None
        inside = [seen for seen in page.events if piece.since <= seen.at <= piece.until]
        if not inside or piece.mode is Mode.CHECK:
            self._pieces.pop()
            return piece.unread(GapReason.FILTER_IGNORED)
        self._order.learn(page.events)
        if self._order.trusted(piece):
            return self._descended(piece, inside, page)
        self._pieces.pop()
        return self._apart(piece, inside)

    def _learn_bounds(self, piece: Piece, page: Page) -> None:
        """How much fits a page, and whether the second `until` is part of what is asked."""
        self._habits.ignores_limit |= len(page.events) > self._habits.limit
        if page.cut is None:
            self._habits.cap = max(self._habits.cap, len(page.events))
        asked = piece.asked_until(self._habits, trusted=self._order.trusted(piece))
        if asked < FOREVER and any(seen.at == asked for seen in page.events):
            self._habits.exclusive_until = False

    def _taken(self, piece: Piece, inside: list[Seen], page: Page) -> Progress:
        self._order.descended(piece, inside)
        trusted = self._order.trusted(piece)
        # The newest come first, also of an answer that broke off later.
        conclusive = page.cut is None or bool(inside)
        if trusted and conclusive and (judged := self._boundary(piece, inside)) is not None:
            return judged
        if page.finished:
            self._pieces.pop()
            return piece.settled()
        if not inside:
            return self._ended(piece, page)
        if not trusted and self._order.wants_trial(page):
            self._order.on_trial = page
            return Progress()
        return self._descended(piece, inside, page) if trusted else self._parted(piece, inside, page)

    def _kinds(self, piece: Piece) -> tuple[int, ...] | None:
        if piece.mode is Mode.OPEN:
            return None
        return readable_kinds(self._base, self._vocabulary, self._habits.most_kinds)

    def _boundary(self, piece: Piece, inside: list[Seen]) -> Progress | None:
        """What follows from whether events known to be at `until` came again; None if the page may be taken in."""
        at_top = any(seen.at == piece.until for seen in inside)
        if piece.probe:
            # Present with one second more, absent without: exclusive. Absent with both: a contradiction.
            if not at_top:
                return self._contradicted(piece)
            if self._habits.exclusive_until is None:
                self._habits.exclusive_until = True
            return None
        if at_top or not piece.knows_top() or (piece.found and not inside):
            return None
        if self._habits.exclusive_until is None:
            piece.probe = True
            return Progress()
        return self._contradicted(piece)

    def _contradicted(self, piece: Piece) -> Progress:
        """The relay does not show again what it has shown: read the window again, without trust in its order."""
        self._habits.contradictions += 1
        self._order.distrusted = True
        self._pieces = [Piece(*self._window)]
        return Progress(gaps=[Gap(piece.until, self._window[1], GapReason.DISAGREEMENT)])

    def _ended(self, piece: Piece, page: Page) -> Progress:
        """Take in a page that shows nothing of the range."""
        self._pieces.pop()
        reason = page.proves_nothing or self._crowded(piece, page)
        if reason is not None:
            return piece.unread(reason)
        passed = self._order.trusted(piece) and any(seen.at < piece.since for seen in page.events)
        if passed or piece.mode is Mode.EXPLICIT or self._says_all:
            return piece.settled()
        if piece.found:
            # A question with kinds has shown events that are not shown without: here it withholds too many others.
            self._habits.hidden += 1
            piece.mode = Mode.EXPLICIT
        else:
            piece.mode = Mode.CHECK
        self._pieces.append(piece)
        return Progress()

    def _descended(self, piece: Piece, inside: list[Seen], page: Page) -> Progress:
        """Take in a page of a relay that sends the newest first."""
        self._pieces.pop()
        low = min(seen.at for seen in inside)
        if page.cut is None and any(seen.at < piece.since for seen in page.events):
            return piece.settled()
        known = {seen.id: seen for seen in [*piece.known.values(), *inside] if seen.at == low}
        fresh = piece.fresh(inside)
        if fresh and low < piece.until:
            if piece.known:
                self._habits.proven_cap = max(self._habits.proven_cap, piece.above)
            # A short page too: the next one may be longer, and what is left may be of kinds that nobody names.
            self._pieces.append(Piece(piece.since, low, known, piece.mode, above=len(page.events)))
            return Progress(read=[(low + 1, piece.until)])
        # Asking the same again would bring the same.
        above = [(low + 1, piece.until)] if low < piece.until else []
        below = [Piece(piece.since, low - 1, mode=piece.mode)] if piece.since < low else []
        if page.cut is not None:
            self._pieces += below
            return Progress(above, [Gap(low, low, page.cut)])
        if self._habits.fills_a_page(len(page.events)):
            self._pieces += below
            self.full_second = low, list(known.values())
            return Progress(above)
        if piece.mode is Mode.EXPLICIT or self._says_all:
            self._pieces += below
            return Progress([(low, low), *above])
        self._pieces.append(Piece(piece.since, low, known, Mode.CHECK))
        return Progress(above)

    def _checked(self, piece: Piece, inside: list[Seen], page: Page) -> Progress:
        """Take in the answer to the question with kinds, asked where the open one showed nothing more."""
        if page.finished:
            self._pieces.pop()
            return piece.settled()
        fresh = piece.fresh(inside)
        if not fresh:
            return self._confirmed(piece, inside, page)
        self._pieces.pop()
        known = {**piece.known, **{seen.id: seen for seen in inside}}
        if not self._order.trusted(piece):
            piece.known, piece.mode, piece.cut = known, Mode.OPEN, piece.cut or page.cut
            return self._apart(piece, inside)
        high = max(seen.at for seen in fresh)
        known = {event_id: seen for event_id, seen in known.items() if seen.at == high}
        mode = Mode.EXPLICIT if self._habits.hidden >= MOST_HIDDEN else Mode.OPEN
        self._pieces.append(Piece(piece.since, high, known, mode, found=True))
        return Progress(read=[(high + 1, piece.until)] if high < piece.until else [])

    def _confirmed(self, piece: Piece, inside: list[Seen], page: Page) -> Progress:
        """The question with kinds has shown nothing that was not known."""
        if self._habits.fills_a_page(len(page.events)) and inside:
            # What it did not show may have had no room.
            self._pieces.pop()
            return self._apart(piece, inside)
        asked = set(self._kinds(piece) or ())
        controls = {seen.id for seen in piece.known.values() if seen.kind in asked}
        unheard = bool(controls) and controls.isdisjoint(seen.id for seen in inside)
        if (unheard or page.complaint) and self._habits.lower_kinds():
            return Progress()
        self._pieces.pop()
        reason = page.proves_nothing or self._crowded(piece, page) or (GapReason.DISAGREEMENT if unheard else None)
        if page.complaint and not inside:
            reason = reason or GapReason.CLOSED
        return piece.settled() if reason is None else piece.unread(reason)

    def _parted(self, piece: Piece, inside: list[Seen], page: Page) -> Progress:
        """Take in a page of a relay that may have chosen any of its events for it."""
        self._pieces.pop()
        fresh = piece.fresh(inside)
        if page.cut is not None:
            piece.cut = page.cut
            return self._apart(piece, inside) if fresh else piece.unread(page.cut)
        if self._may_hide(piece, page):
            return self._apart(piece, inside)
        ids = {seen.id for seen in inside}
        if any(event_id not in ids for event_id in piece.known):
            if piece.mode is Mode.EXPLICIT or self._says_all:
                return piece.unread(GapReason.DISAGREEMENT)
            # A question with kinds has shown them: here it withholds too many others.
            self._habits.hidden += 1
            piece.mode = Mode.EXPLICIT
            self._pieces.append(piece)
            return Progress()
        if piece.mode is Mode.EXPLICIT or self._says_all:
            return piece.settled()
        piece.known = {seen.id: seen for seen in inside}
        piece.mode = Mode.CHECK
        self._pieces.append(piece)
        return Progress()

    def _crowded(self, piece: Piece, page: Page) -> GapReason | None:
        """Why nothing follows from what is not on a page that may be full of what was not asked for."""
        crowded = self._habits.ignores_since and not self._order.trusted(piece) and self._may_hide(piece, page)
        return GapReason.FILTER_IGNORED if crowded else None

    def _may_hide(self, piece: Piece, page: Page) -> bool:
        """Whether the page may lack events.

        Relays leave out of a full page what they withhold or have just deleted; parts cost little, so that for them
        half a page is taken for a full one.
        """
        if "more" in page.hints:
            return True
        if piece.since == piece.until:
            return self._habits.fills_a_page(len(page.events))
        return not self._habits.is_short(2 * len(page.events))

    def _apart(self, piece: Piece, inside: list[Seen]) -> Progress:
        """Ask for a range by parts; one second is not for pages to read."""
        if piece.since < piece.until:
            self._pieces += parts(piece, inside)
        elif piece.cut is not None:
            return piece.unread(piece.cut)
        else:
            self.full_second = piece.since, list({**piece.known, **{seen.id: seen for seen in inside}}.values())
        return Progress()
