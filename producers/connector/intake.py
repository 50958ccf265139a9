"""The hot path of a connector: a frame comes in, an event goes into a bundle, anything else to where it belongs."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from core.clock import CLOCK
from producers.bundler import Bundler
from producers.connector.budget import Budget
from producers.rejecting import Rejections
from producers.relay_client.refusals import RelayError, not_a_relay, over_budget
from producers.relay_client.subscriptions import Subscription
from schemas.nostr.messages import Garbage, Message, Unknown, parse_message, unwrapped
from schemas.nostr.wire import find_id, open_event_frame, usable_id
from schemas.reasons import EventError, Reason
from schemas.records.bundle import HeldLine

FOREIGN_FRAMES = 5
"""Of something that is no relay: so many frames without one message of NIP-01 (a greeting or two may come first)."""


class Intake:
    """Takes the frames of one relay, over all of its connections."""

    def __init__(self, relay: str, bundler: Bundler, rejections: Rejections, budget: Budget) -> None:
        """Take frames of the relay with this normalised URL."""
        self._relay = relay
        self._bundler = bundler
        self._rejections = rejections
        self._budget = budget
        self._understood = False
        self._foreign = 0
        self.received = 0
        """Copies that went into bundles."""
        self.refused = 0
        """Frames and events that were refused."""

    def event(self, frame: bytes, subscriptions: Mapping[str, Subscription]) -> bool:
        """Take a frame if it is an EVENT message.

        Returns:
            False if it is something else, for `other` to take.

        Raises:
            RelayError: the relay went beyond what it may cost.
        """
        opened = open_event_frame(frame)
        if opened is None:
            return False
        self._understood = True
        subid, event, fields = opened
        event_id: str | None
        if fields is None:
            fields = _decoded_exactly(event)
            event_id = find_id(event)
        else:
            event_id = usable_id(fields.get("id"))
        if event_id is None:
            self._refuse(Reason.NO_ID, event, "id", "is missing or not 64 lower-case hex digits")
            return True
        subscription = subscriptions.get(subid)
        if subscription is None:
            self._refuse(Reason.FILTER_MISMATCH, event, None, "came for a subscription that is not open")
            return True
        created_at = fields.get("created_at")
        if type(created_at) is float:
            # What orjson makes of an integer beyond 64 bits. It may be rightly signed: not for us to refuse.
            created_at = _decoded_exactly(event).get("created_at")
        if type(created_at) is not int or not subscription.wants(fields, created_at):
            subscription.misfits += 1
            self._check_flood(subscription)
            self._refuse(Reason.FILTER_MISMATCH, event, None, "does not fit the filter that was asked")
            return True
        try:
            self._bundler.add(self._relay, CLOCK.now_ms(), event, event_id)
        except EventError as error:
            self._refuse(error.reason, event, error.field, error.detail)
            return True
        self.received += 1
        subscription.take(created_at, event_id, fields)
        if subscription.flooded:
            self._check_flood(subscription)
        return True

    def other(self, frame: bytes) -> Message | None:
        """Take a frame that is no event as it stands.

        Returns:
            The message, for the client; None if there is none in it.

        Raises:
            RelayError: the relay went beyond what it may cost, or is none.
        """
        message = parse_message(frame)
        if isinstance(message, Garbage):
            self._refuse(Reason.BAD_FRAME, frame, None, message.detail)
        if isinstance(message, Garbage | Unknown):
            self._foreign += 1
            if not self._understood and self._foreign >= FOREIGN_FRAMES:
                raise not_a_relay(f"sent {self._foreign} frames and none of them is a message of NIP-01")
            if isinstance(message, Unknown):
                # Nothing of it is kept, but without end it would cost the others their turn.
                self._charge(len(frame))
            return None
        self._understood = True
        return message

    def too_large(self, limit_bytes: int) -> None:
        """Count a frame that was too large to be received.

        Raises:
            RelayError: the relay went beyond what it may cost.
        """
        self.refused += 1
        self._rejections.count(Reason.TOO_LARGE)
        self._charge(limit_bytes)

    def held(self, events: Sequence[tuple[int, str]]) -> None:
        """Report events of the archive, by `created_at` and id, that the relay was shown to hold."""
        seen_at_ms = CLOCK.now_ms()
        for created_at, event_id in events:
            self._bundler.add_held(HeldLine(self._relay, seen_at_ms, event_id, created_at))

    def unasked(self, size_bytes: int) -> None:
        """Count a message that nothing was waiting for.

        Raises:
            RelayError: the relay went beyond what it may cost.
        """
        self._charge(size_bytes)

    def _refuse(self, reason: Reason, value: bytes, field: str | None, detail: str) -> None:
        self.refused += 1
        seen_at_ms = CLOCK.now_ms()
        self._rejections.put(reason, value, seen_at_ms=seen_at_ms, relay=self._relay, field=field, detail=detail)
        self._charge(len(value))

    def _charge(self, size_bytes: int) -> None:
        now_s = time.monotonic()
        if not self._budget.charge(size_bytes, now_s):
            raise over_budget(self._budget.pause_s(now_s))

    def _check_flood(self, subscription: Subscription) -> None:
        if subscription.flooded:
            raise RelayError("flood", f"sent far more events than the limit of {subscription.asked.limit}", 5.0)


def read_frame(intake: Intake, frame: bytes, subscriptions: Mapping[str, Subscription]) -> Message | None:
    """Take any frame, also one with a byte order mark or white space around it."""
    if intake.event(frame, subscriptions):
        return None
    bare = unwrapped(frame)
    if len(bare) != len(frame) and intake.event(bare, subscriptions):
        return None
    return intake.other(bare)


def _decoded_exactly(event: bytes) -> dict[str, Any]:
    """The fields of an event that orjson refuses although it is JSON; nothing where the standard library gives up."""
    try:
        fields = json.loads(event)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}
