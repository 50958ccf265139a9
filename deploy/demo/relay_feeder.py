"""Publishes its share of the events to one demo relay, with retries, until the relay has answered for every event."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from functools import partial

from websockets.exceptions import WebSocketException

from core.backoff import Backoff
from deploy.demo.offer import Offer
from deploy.demo.publisher import Publisher
from deploy.demo.scene import Author, Signed

FIRST_PAUSE_S = 0.25  # a relay that starts beside the filler listens within half a second
MAX_PAUSE_S = 5.0  # a relay that is back is noticed before anybody wonders
OWED_AWAY = 1000  # some MB: a relay that is away for long must not fill the memory


class RelayFeeder:
    """Publishes to one relay while `run` runs. A relay that is away is asked again, with pauses that grow.

    An event whose answer got lost may be there all the same, and is sent again: relays say OK to what they have.

    Attributes:
        empty: set while every event has been answered for.
        quiet: set while `empty` is, or the relay is away, so that it makes no sense to wait for it.
    """

    def __init__(self, url: str, authors: Sequence[Author], offer: Offer, most_owed: int = OWED_AWAY) -> None:
        """Publish to the relay of this URL; while it is away, it gets no more events once it is owed `most_owed`."""
        self.empty = asyncio.Event()
        self.quiet = asyncio.Event()
        self._url = url
        self._publisher = Publisher(url, authors)
        self._offer = offer
        self._most_owed = most_owed
        self._owed: dict[str, Signed] = {}
        self._wake = asyncio.Event()
        self._is_away = False
        self._rest()

    def hand(self, events: Sequence[Signed]) -> None:
        """Have events published, unless the relay is away and is owed many already: those it never gets."""
        if not events or (self._is_away and len(self._owed) >= self._most_owed):
            return
        self._owed |= {event.id: event for event in events}
        self.empty.clear()
        if not self._is_away:
            self.quiet.clear()
        self._wake.set()

    async def run(self) -> None:
        """Publish without end."""
        backoff = Backoff(FIRST_PAUSE_S, MAX_PAUSE_S)
        while True:
            await self._wake.wait()
            try:
                await self._publisher.publish(list(self._owed.values()), self._answered)
            except (OSError, WebSocketException) as error:  # TimeoutError is an OSError
                if not self._is_away:
                    _tell(f"{self._url} does not answer and is asked again: {type(error).__name__} {error}")
                self._is_away = True
                self.quiet.set()
                await asyncio.sleep(backoff.next_s())
                continue
            self._heard()
            backoff.reset()
            if not self._owed:
                self._rest()

    def _rest(self) -> None:
        self._wake.clear()
        self.empty.set()
        self.quiet.set()

    def _heard(self) -> None:
        """Record that the relay is not away, or no longer."""
        if self._is_away:
            self._is_away = False
            self.quiet.clear()
            _tell(f"{self._url} answers")

    def _answered(self, event_id: str, refusal: str | None) -> None:
        self._heard()  # with the first answer: an end that did not wait for the others would leave them uncounted
        del self._owed[event_id]
        if refusal is None:
            self._offer.add(event_id, self._url)
        else:
            self._offer.refuse(event_id, self._url, refusal)


_tell = partial(print, file=sys.stderr, flush=True)
