"""One subscription: stored events first, then EOSE, then new ones, none of them twice and none missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from api.live.feed import Feed, FullError, LiveEvent, NotKeptError
from api.live.feed import Subscription as Following
from api.relay import answers
from api.relay.messages import Req
from api.relay.outbox import Outbox
from api.relay.outgoing import Outgoing

_NOT_KEPT = "error: new events cannot follow the stored ones without a gap now; repeat the REQ in a moment"
_MISSED = "error: new events were missed; repeat the REQ to read them and go on"


class Subscription:
    """What one REQ asked for, until it is closed.

    Args:
        req: the request.
        outbox: takes the messages.
        shows: whether the client may see a new event, as of now.

    Attributes:
        req: the request.
        is_open: it was not ended.
        has_stored: EOSE was sent.
        missed: why new events do not follow the stored ones; None where they do.
    """

    def __init__(self, req: Req, outbox: Outbox, shows: Callable[[LiveEvent], bool]) -> None:
        self.req = req
        self.is_open = True
        self.has_stored = False
        self.missed: str | None = None
        self._opening = answers.opening(req.subid)
        self._outbox = outbox
        self._shows = shows
        self._following: Following | None = None
        self._held: list[Outgoing] | None = []
        """New events that came before EOSE was sent."""

    def follow(self, feed: Feed, since: Mapping[int, int], lost: Callable[[], None], client: str = "") -> None:
        """Take new events from these offsets on, and hold them until `finish_stored`.

        Args:
            feed: gives them.
            since: by partition of the topic `events`, where the archive ended as the stored events were read.
            lost: called where events are missed from then on; `missed` says so.
            client: who is charged for the filters.
        """

        def lose() -> None:
            self.missed = _MISSED
            lost()

        try:
            self._following = feed.subscribe(since, self.req.filters, self._deliver, lose, client=client)
        except FullError as error:
            self.missed = f"rate-limited: {error}"
        except NotKeptError:
            self.missed = _NOT_KEPT
        if self.missed is not None:
            self._let_go()

    async def send_stored(self, texts: Sequence[bytes]) -> None:
        """Send stored events as fast as the client reads them."""
        unsent = sum(map(len, texts))
        self._outbox.charge(unsent)
        try:
            for text in texts:
                await self._outbox.room()
                if not self.is_open:
                    return
                unsent -= len(text)
                self._outbox.charge(-len(text))
                self._outbox.put_event(Outgoing(self._opening, text))
        finally:
            self._outbox.charge(-unsent)

    def finish_stored(self, hints: Sequence[str]) -> None:
        """Send EOSE, what was held, and from now on each new event as it comes."""
        self.has_stored = True
        self._outbox.put(answers.eose(self.req.subid, hints))
        held, self._held = self._held or [], None
        for message in held:
            self._outbox.put_reserved(message)

    def end(self) -> None:
        """Send nothing more; may be called again."""
        self.is_open = False
        self._let_go()

    def _deliver(self, live: LiveEvent) -> None:
        if self.missed is not None or not self._shows(live):
            return
        message = Outgoing(self._opening, live.text, live.shared)
        if self._held is None:
            self._outbox.put_event(message)
        elif self._outbox.can_hold(message.size_bytes) and self._outbox.reserve(message):
            self._held.append(message)
        else:
            # So many may come at once, where the archive is behind: the client reads no slower for that.
            self.missed = _MISSED
            self._let_go()

    def _let_go(self) -> None:
        """Follow new events no longer, and drop those that were held."""
        if self._following is not None:
            self._following.end()
        held, self._held = self._held or [], [] if self._held is not None else None
        for message in held:
            self._outbox.release(message)
