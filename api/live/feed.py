"""New events for subscriptions, from the exact place where a reading of the archive ended."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from api.live.index import Condition, Index
from api.live.ring import LiveEvent, NotKeptError, Ring, SharedText
from core import metrics
from schemas.nostr.filters import Filter

__all__ = ["Feed", "FullError", "LiveEvent", "NotKeptError", "SharedText", "Subscription"]

logger = logging.getLogger(__name__)

MOST_VALUES = 1_000_000
"""Of the lists of all filters that are followed: some 200 MB with their texts."""
CLIENT_VALUES = 50_000
"""Of these, of one client: a hundred lists of 500 authors, and a twentieth of all."""


class FullError(NotKeptError):
    """The filters that are followed hold as many values as they may."""


class Subscription:
    """One subscription of a feed, which makes it.

    Attributes:
        client: whose it is.
        is_ended: nothing more is delivered.
        size: how many values the lists of its filters have.
    """

    __slots__ = ("_archived", "_conditions", "_deliver", "_feed", "_lost", "client", "is_ended", "size")

    def __init__(
        self,
        feed: Feed,
        archived: Mapping[int, int],
        filters: Sequence[Filter],
        deliver: Callable[[LiveEvent], None],
        lost: Callable[[], None] | None,
        *,
        client: str,
    ) -> None:
        self.client = client
        self.is_ended = False
        self._feed = feed
        self._archived = archived
        self._conditions = [Condition(self, each) for each in filters]
        self.size = sum(each.size for each in self._conditions)
        self._deliver = deliver
        self._lost = lost
        feed.index.add(self._conditions)
        feed.subscriptions.add(self)
        feed.client_values[client] += self.size

    def end(self) -> None:
        """Deliver nothing more; may be called again."""
        if not self.is_ended:
            self.is_ended = True
            self._feed.index.remove(self._conditions)
            self._feed.subscriptions.remove(self)
            self._feed.client_values[self.client] -= self.size
            if not self._feed.client_values[self.client]:
                del self._feed.client_values[self.client]

    def replay(self, kept: Sequence[LiveEvent]) -> int:
        """Deliver those of these events that any filter matches; how many they were."""
        own: Index[Subscription] = Index()
        own.add(self._conditions)
        count = 0
        for live in kept:
            if own.has_owner(live.event):
                self._deliver(live)
                count += 1
                if self.is_ended:
                    break
        return count

    def deliver(self, partition: int, offset: int, live: LiveEvent) -> bool:
        """Deliver a new event that a filter matches; False where the archive had it, or after the end."""
        if self.is_ended or offset < self._archived.get(partition, 0):
            return False
        try:
            self._deliver(live)
        except Exception:
            logger.exception("what takes the events of a subscription has failed: the subscription ends")
            self.lose()
        return True

    def lose(self) -> None:
        """End it, and say that events are missed."""
        if self.is_ended:
            return
        self.end()
        if self._lost is not None:
            try:
                self._lost()
            except Exception:
                logger.exception("what takes the events of a subscription cannot be told of its end")


class Feed:
    """New events in the order in which they are read, the newest of them kept up to a bound in bytes.

    Args:
        kept_bytes: of memory for the events that are kept.
        most_values: of the lists of all filters.
        most_client_values: of the lists of one client's filters.

    Attributes:
        ring: what is kept, and how far was read.
        index: the filters of all subscriptions.
        subscriptions: all of them.
        client_values: by client, how many values the lists of its filters have.
    """

    def __init__(
        self, kept_bytes: int, most_values: int = MOST_VALUES, most_client_values: int = CLIENT_VALUES
    ) -> None:
        self._most_values = most_values
        self._most_client_values = most_client_values
        self.ring = Ring(kept_bytes)
        self.index: Index[Subscription] = Index()
        self.subscriptions: set[Subscription] = set()
        self.client_values: Counter[str] = Counter()

    def subscribe(
        self,
        since: Mapping[int, int],
        filters: Sequence[Filter],
        deliver: Callable[[LiveEvent], None],
        lost: Callable[[], None] | None = None,
        *,
        client: str = "",
    ) -> Subscription:
        """Deliver what matches any filter, from these offsets on; what is kept is delivered before this returns.

        Args:
            since: by partition of the topic `events`, the first offset that the archive had not yet written.
            filters: limits are not looked at.
            deliver: called in the event loop; must not raise: the subscription ends where it does.
            lost: called once where the subscription ends by itself, because events are missed from then on.
            client: whose it is.

        Raises:
            FullError: the filters of the client, or of all subscriptions, hold too much.
            NotKeptError: the ring does not reach back so far.
        """
        if self.client_values[client] >= self._most_client_values:
            raise FullError(f"your open filters hold {self._most_client_values} values already; CLOSE some first")
        if self.index.size >= self._most_values:
            raise FullError(f"the filters of all subscriptions hold {self._most_values} values already")
        kept = self.ring.since(since)
        reached = self.ring.positions
        ahead = {partition: offset for partition, offset in since.items() if offset > reached[partition]}
        subscription = Subscription(self, ahead, filters, deliver, lost, client=client)
        try:
            metrics.LIVE_DELIVERED.inc(subscription.replay(kept))
        except BaseException:
            subscription.end()
            raise
        return subscription

    def begin(self, offsets: Mapping[int, int]) -> None:
        """Go on at these offsets without regard to what was read before, which ends every subscription."""
        self.ring.begin(offsets)
        for each in list(self.subscriptions):
            each.lose()

    def add(self, partition: int, offset: int, live: LiveEvent) -> int:
        """Keep a new event and deliver it; one that was read before, or is kept already, is left out.

        Returns:
            To how many subscriptions it was delivered.
        """
        if not self.ring.append(partition, offset, live):
            return 0
        return sum(each.deliver(partition, offset, live) for each in self.index.owners(live.event))
