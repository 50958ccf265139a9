"""Reads the frames of a relay: events go to a handler, other messages to the client, and what is neither is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from producers.relay_client.refusals import RelayError, not_a_relay
from producers.relay_client.subscriptions import Subscription
from producers.relay_client.unasked import Unasked
from schemas.nostr.messages import Garbage, Message, Unknown, parse_message, unwrapped
from schemas.nostr.wire import find_id, open_event_frame, usable_id
from schemas.reasons import EventError, Reason

FOREIGN_FRAMES = 5
"""Of something that is no relay: so many frames without one message of NIP-01 (a greeting or two may come first)."""


class MessageHandler(Protocol):
    """What becomes of what a relay sends.

    What a method raises ends the reading, and `RelayClient.read` raises it: `RelayError` where the relay went beyond
    what it may cost.
    """

    def event(self, subscription: Subscription, event: bytes, event_id: str, fields: Mapping[str, Any]) -> None:
        """Take an event that the subscription asked for. Nothing of it is verified yet.

        Args:
            subscription: which of the client's it came for.
            event: its verbatim bytes.
            event_id: 64 lower-case hex digits, as found in the bytes.
            fields: the decoded bytes.

        Raises:
            EventError: it cannot be taken, and is to be refused.
        """

    def refuse(self, reason: Reason, value: bytes, field: str | None, detail: str) -> None:
        """Account for a frame or an event that is not taken.

        Args:
            reason: why.
            value: the event's bytes, or the frame's where it holds none.
            field: which member of the event is at fault, if it is one.
            detail: what is wrong, for a person.
        """

    def unasked(self, what: Unasked, size_bytes: int) -> None:
        """Account for a message or a frame that nothing was waiting for, and of which nothing is kept."""


class Copy(NamedTuple):
    """An EVENT message.

    Attributes:
        subid: the subscription id that the relay answers.
        event: the event's verbatim bytes.
        fields: the same, decoded; nothing where it cannot be.
        event_id: 64 lower-case hex digits, or None where none can be found.
    """

    subid: str
    event: bytes
    fields: dict[str, Any]
    event_id: str | None


def parse(frame: bytes) -> Copy | bytes:
    """Parse a frame: an EVENT message, or the bytes of any other.

    A byte order mark and white space may stand around either.

    A text of a mebibyte takes up to a second where it holds what orjson refuses.
    """
    opened = open_event_frame(frame)
    if opened is None:
        bare = unwrapped(frame)
        opened = open_event_frame(bare) if len(bare) != len(frame) else None
        if opened is None:
            return bare
    subid, event, fields = opened
    if fields is None or type(fields.get("created_at")) is float:
        # Half of a surrogate pair, or an integer beyond 64 bits. It may be rightly signed: not for us to refuse.
        fields = _decoded_exactly(event)
    return Copy(subid, event, fields, usable_id(fields.get("id")) if fields else find_id(event))


class FrameReader:
    """Reads the frames of one relay, over all of its connections."""

    def __init__(self, handler: MessageHandler) -> None:
        """Hand events to this handler."""
        self.handler = handler
        self.understood = False
        """Whether a message of NIP-01 has come."""
        self.foreign = 0
        """Frames that are none."""
        self.received = 0
        """Events that the handler took."""

    def take(self, content: Copy | bytes, subscriptions: Mapping[str, Subscription]) -> Message | None:
        """Take a frame.

        Args:
            content: what `parse` made of it.
            subscriptions: those that are open on the connection, by id.

        Returns:
            A message for the client; None if there is none in it.

        Raises:
            RelayError: it floods a subscription, or is no relay.
            Exception: what the handler raised.
        """
        if isinstance(content, bytes):
            return self._other(content)
        self.understood = True
        subid, event, fields, event_id = content
        if event_id is None:
            self.handler.refuse(Reason.NO_ID, event, "id", "is missing or not 64 lower-case hex digits")
            return None
        subscription = subscriptions.get(subid)
        if subscription is None:
            self.handler.refuse(Reason.FILTER_MISMATCH, event, None, "came for a subscription that is not open")
            return None
        created_at = fields.get("created_at")
        if type(created_at) is not int or not subscription.wants(fields, created_at):
            subscription.misfits += 1
            _check_flood(subscription)
            self.handler.refuse(Reason.FILTER_MISMATCH, event, None, "does not fit the filter that was asked")
            return None
        try:
            self.handler.event(subscription, event, event_id, fields)
        except EventError as error:
            self.handler.refuse(error.reason, event, error.field, error.detail)
            return None
        self.received += 1
        subscription.take(created_at, event_id, fields)
        if subscription.flooded:
            _check_flood(subscription)
        return None

    def _other(self, frame: bytes) -> Message | None:
        """Take a frame that is no event."""
        message = parse_message(frame)
        if isinstance(message, Garbage):
            self.handler.refuse(Reason.BAD_FRAME, frame, None, message.detail)
        if isinstance(message, Garbage | Unknown):
            self.foreign += 1
            if not self.understood and self.foreign >= FOREIGN_FRAMES:
                raise not_a_relay(f"sent {self.foreign} frames and none of them is a message of NIP-01")
            if isinstance(message, Unknown):
                # Nothing of it is kept, but without end it would cost the others their turn.
                self.handler.unasked(Unasked.UNKNOWN, len(frame))
            return None
        self.understood = True
        return message


def _check_flood(subscription: Subscription) -> None:
    if subscription.flooded:
        raise RelayError("flood", f"sent far more events than the limit of {subscription.asked.limit}", 5.0)


def _decoded_exactly(event: bytes) -> dict[str, Any]:
    """The fields of an event that orjson refuses although it is JSON; nothing where the standard library gives up."""
    try:
        fields = json.loads(event)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}
