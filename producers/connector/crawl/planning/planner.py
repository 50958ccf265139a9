"""Which stored events to ask a relay for next: a pure state machine over pages, without clock or I/O.

What is to be read is cut into windows (`windows`), each of which is paged through (`paging`); a second with more events
than a page is taken apart (`dense`). Where the relay can compare sets (NIP-77), a window is compared with the archive
instead, and a second as a last resort.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from producers.connector.coverage.progress import Gap, Progress
from producers.connector.crawl.planning.dense_second import DenseSecond
from producers.connector.crawl.planning.paging import WindowReader
from producers.connector.crawl.planning.steps import Difference, Step
from producers.connector.crawl.planning.windows import Windows
from producers.connector.known_filters import KnownFilters, RelayKnownFilters
from producers.connector.relay_behavior import RelayBehavior
from producers.relay_client.page import Page, Seen
from schemas.nostr.filters import Filter
from schemas.ranges import Range, subtract
from schemas.records.coverage import GapReason

MOST_SPLITTING = 4000
"""Queries in one crawl that take dense seconds apart: half an hour of them. Later ones are gaps at once."""
MOST_DENSE = 1000
"""Gaps of that kind in one crawl. A relay that has more is not read further down: it answers every question with a
full page of one second, and there are more seconds than anybody can ask for."""


class Planner:
    """Reads ranges of one relay with one filter, newest first: take `step`, do it, report its outcome, until None."""

    def __init__(
        self,
        ranges: Iterable[Range],
        behavior: RelayBehavior,
        base: Filter | None = None,
        known_filters: RelayKnownFilters | None = None,
        *,
        compares: Callable[[], bool] = lambda: False,
    ) -> None:
        """Begin a crawl.

        Args:
            ranges: of seconds (see `BEGINNING` and `FOREVER`).
            behavior: of the relay, learnt from and into.
            base: the filter that is crawled; None: everything.
            known_filters: kinds and authors to narrow questions by, learnt from and into.
            compares: whether the relay may be asked for a difference now (NIP-77).
        """
        self._behavior = behavior
        self._base = base or Filter()
        self._known_filters = known_filters or KnownFilters().of("")
        self._windows = Windows(ranges, behavior)
        self._compares = compares
        self._reader: WindowReader | None = None
        self._dense: DenseSecond | None = None
        self._difference: Difference | None = None
        self._splitting = 0
        self._unsplit = 0

    @property
    def position(self) -> int | None:
        """The second below which all is unread; None when all is read."""
        if self._difference is not None:
            return self._difference.until
        if self._reader is not None and self._reader.left:
            return self._reader.left[0][1]
        return self._dense.second if self._dense is not None else self._windows.end

    def step(self) -> Step | None:
        """What to do next; None when nothing is left. The same until its outcome is reported."""
        if self._difference is not None:
            return self._difference
        if self._dense is not None:
            return self._dense.query()
        if self._reader is None:
            window = self._windows.take()
            if window is None:
                return None
            self._reader = WindowReader(window, self._base, self._known_filters, self._behavior)
            if self._compares():
                self._difference = Difference(*window)
                return self._difference
        return self._reader.query()

    def feed(self, page: Page) -> Progress:
        """Take in the page that answers the query of `step`."""
        self._known_filters.learn(page.events)
        if self._dense is not None:
            self._dense.feed(page)
            return self._after_split()
        reader = self._open()
        return self._after_reading(reader, reader.feed(page))

    def compared(self, *, whole: bool, too_many: bool = False, withheld_in: Sequence[Range] = ()) -> Progress:
        """Take in the outcome of a comparison.

        Args:
            whole: everything that the relay has in it and gives was received.
            too_many: it was refused for its size; fewer seconds may do.
            withheld_in: the seconds of it in which the relay has what it does not give.
        """
        asked, self._difference = self._difference, None
        if asked is None:
            raise RuntimeError("nothing was to be compared")
        gaps = [Gap(since, until, GapReason.WITHHELD) for since, until in withheld_in]
        progress = Progress(read=subtract([(asked.since, asked.until)], withheld_in), gaps=gaps)
        if self._dense is not None:
            self._dense = None
            return self._after_page(progress if whole else self._unreadable(asked.since))
        if not whole:
            if too_many and self._windows.divide((asked.since, asked.until)):
                self._reader = None
            return Progress()
        self._reader = None
        self._windows.report(1, 0)
        return progress

    def refused(self, reason: GapReason) -> Progress:
        """The relay refuses the query of `step`: what depends on it is a gap, which may be all that is left."""
        if reason is not GapReason.RATE_LIMITED:
            if self._dense is not None:
                self._dense.refused()
                return self._after_split()
            progress = self._open().refused(reason)
            if progress is not None:
                return self._after_page(progress)
        return self.abandon(reason)

    def abandon(self, reason: GapReason) -> Progress:
        """Leave everything that is unread as gaps."""
        left = self._windows.clear()
        left += self._reader.left if self._reader is not None else []
        left += [(self._dense.second, self._dense.second)] if self._dense is not None else []
        self._reader = self._dense = self._difference = None
        return Progress(gaps=[Gap(since, until, reason) for since, until in left])

    def skip(self, seconds: int, reason: GapReason) -> Progress:
        """Leave so many seconds, from the present position down, as a gap."""
        if self._dense is not None:
            second, self._dense, self._difference = self._dense.second, None, None
            return self._after_page(Progress(gaps=[Gap(second, second, reason)]))
        self._difference = None
        if self._reader is None:
            self.step()
            self._difference = None
        return self._after_page(self._open().skip(seconds, reason))

    def flooded(self, page: Page) -> Progress:
        """Take in what came before the relay was cut off, because it sent far more than `limit`: ask for less time."""
        if self._dense is not None:
            return self.feed(page)
        seconds = [seen.at for seen in page.events]
        self._windows.shorten((max(seconds) - min(seconds)) * self._behavior.limit // len(seconds))
        reader = self._open()
        return self._after_reading(reader, reader.flooded(page))

    def connection_lost(self, page: Page | None) -> Progress:
        """The connection ended while `step` was being done, with this much of a page."""
        if self._dense is not None:
            self._dense.connection_lost()
            return self._after_split()
        if page is not None and self._reader is not None and self._difference is None:
            return self._reader.cut(page)
        return Progress()

    def _open(self) -> WindowReader:
        if self._reader is None:
            raise RuntimeError("there was no query to answer")
        return self._reader

    def _after_page(self, progress: Progress) -> Progress:
        reader = self._reader
        if reader is not None and reader.query() is None:
            self._windows.report(reader.queries, reader.largest_page)
            self._reader = None
        return progress

    def _after_reading(self, reader: WindowReader, progress: Progress) -> Progress:
        if reader.full_second is not None:
            second, shown = reader.full_second
            reader.full_second = None
            return self._take_apart(progress, second, shown)
        return self._after_page(progress)

    def _take_apart(self, progress: Progress, second: int, shown: list[Seen]) -> Progress:
        if self._splitting >= MOST_SPLITTING:
            gap = self._unreadable(second)
            return self._after_page(Progress(progress.read, [*progress.gaps, *gap.gaps]))
        self._dense = DenseSecond(second, shown, self._base, self._known_filters, self._behavior)
        return progress

    def _after_split(self) -> Progress:
        """Settle a dense second once every question about it was asked."""
        dense = self._dense
        if dense is None or dense.query() is not None:
            return Progress()
        self._splitting += dense.queries
        if dense.complete:
            self._dense = None
            return self._after_page(Progress(read=[(dense.second, dense.second)]))
        if self._compares():
            self._difference = Difference(dense.second, dense.second)
            return Progress()
        self._dense = None
        return self._after_page(self._unreadable(dense.second))

    def _unreadable(self, second: int) -> Progress:
        self._unsplit += 1
        gap = Gap(second, second, GapReason.DENSE_SECOND)
        if self._unsplit < MOST_DENSE:
            return Progress(gaps=[gap])
        rest = self.abandon(GapReason.DENSE_SECOND)
        return Progress(gaps=[gap, *rest.gaps])
