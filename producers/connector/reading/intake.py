"""What a connector does with what relays send: an event goes into a bundle, anything else to where it belongs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from core import metrics
from core.clock import CLOCK
from producers.bundler import Bundler
from producers.connector.reading.budget import Budget
from producers.connector.reading.padding import trim
from producers.connector.reading.repeats import Repeats
from producers.rejecting import Rejections
from producers.relay_client.refusals import RelayError, over_budget
from producers.relay_client.subscriptions import Subscription
from producers.relay_client.unasked import Unasked
from schemas.reasons import Reason
from schemas.records.coverage import Copies

LEAST_CHARGED_BYTES = 512
"""What the smallest input is charged as: an empty frame takes as long as an event of about this size."""
REPEATS_PER_HOUR = 2_000_000
"""Copies that a relay had just sent, free in an hour: five times all that is remembered of all relays, since pages are
asked for more than once. Each takes some 20 µs, so this is 1 % of the event loop."""


class Intake:
    """Takes what one relay sends, over all of its connections: the `MessageHandler` of its client."""

    def __init__(
        self,
        relay: str,
        bundler: Bundler,
        rejections: Rejections,
        budget: Budget,
        *,
        priority: bool = False,
        copies: Copies | None = None,
        repeats: Repeats | None = None,
        repeats_per_hour: int = REPEATS_PER_HOUR,
        taken: Callable[[bytes], None] = lambda _: None,
    ) -> None:
        """Take events of the relay with this normalised URL.

        Args:
            relay: the URL.
            bundler: takes copies.
            rejections: takes what is refused.
            budget: of what is refused.
            priority: whether the relay is of the priority lane.
            copies: what the relay has sent before.
            repeats: what relays sent last, all of them.
            repeats_per_hour: of these, how many are free.
            taken: told of each copy that is in a bundle.
        """
        self._relay = relay
        self._bundler = bundler
        self._priority = priority
        self._rejections = rejections
        self._budget = budget
        self._again = Budget(0, repeats_per_hour)
        self._repeats = Repeats() if repeats is None else repeats
        self._taken = taken
        before = Copies() if copies is None else copies
        self._received, self._repeated = before.received, before.repeated
        self.refused = 0
        """Frames and events that were refused."""

    @property
    def copies(self) -> Copies:
        """What the relay has sent until now."""
        return Copies(received=self._received, repeated=self._repeated)

    def event(
        self,
        subscription: Subscription,  # noqa: ARG002 - a copy is a copy, whatever it came for
        event: bytes,
        event_id: str,
        fields: Mapping[str, Any],
    ) -> None:
        """Put a copy into a bundle, without what a relay added to the event beyond measure; that is charged.

        Raises:
            EventError: too_large, or not_json where the bytes cannot stand on one line.
            RelayError: the relay went beyond what it may cost.
        """
        text, padding_bytes = trim(event, fields)
        mark = self._repeats.mark(self._relay, text)
        if self._repeats.known(mark):
            self._received += 1
            self._repeated += 1
            metrics.REPEATED.inc()
            self._count_repeat()
        else:
            self._bundler.add(self._relay, CLOCK.now_ms(), text, event_id, priority=self._priority)
            self._received += 1
            self._repeats.add(mark)
            self._taken(text)
        if padding_bytes:
            self.unasked(Unasked.PADDING, padding_bytes)

    def refuse(self, reason: Reason, value: bytes, field: str | None, detail: str) -> None:
        """Send a frame or an event to `rejections`.

        Raises:
            RelayError: the relay went beyond what it may cost.
        """
        self.refused += 1
        seen_at_ms = CLOCK.now_ms()
        self._rejections.put(reason, value, seen_at_ms=seen_at_ms, relay=self._relay, field=field, detail=detail)
        self._charge(len(value))

    def too_large(self, limit_bytes: int) -> None:
        """Count a frame that was too large to be received.

        Raises:
            RelayError: the relay went beyond what it may cost.
        """
        self.refused += 1
        self._rejections.count(Reason.TOO_LARGE)
        self._charge(limit_bytes)

    def unasked(self, what: Unasked, size_bytes: int) -> None:
        """Charge a message or a frame that nothing was waiting for.

        Raises:
            RelayError: the relay went beyond what it may cost.
        """
        metrics.UNASKED.labels(what).inc()
        self._charge(size_bytes)

    def _count_repeat(self) -> None:
        now_s = time.monotonic()
        if not self._again.charge(0, now_s):
            raise RelayError("over_budget", "sends the same events over and over", self._again.pause_s(now_s))

    def _charge(self, size_bytes: int) -> None:
        now_s = time.monotonic()
        if not self._budget.charge(max(size_bytes, LEAST_CHARGED_BYTES), now_s):
            raise over_budget(self._budget.pause_s(now_s))
