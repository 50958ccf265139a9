"""What one probe takes of a relay: events that are genuine, within a budget of bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from producers.relay_client.client import PARSED_AT_ONCE_BYTES
from producers.relay_client.refusals import RelayError
from producers.relay_client.subscriptions import Subscription
from producers.relay_client.unasked import Unasked
from schemas.nostr.judge import Policy, judge
from schemas.reasons import EventError, Reason, Verdict

MOST_BYTES = 4 * 1024 * 1024
"""Of one probe: a page of 500 events has about half a mebibyte."""
LEAST_CHARGED_BYTES = 512
"""What the smallest message is charged as, so that 8,192 of them end a probe."""
MOST_VERIFIED = 32
"""Events of one probe whose id and signature are checked, at 0.1 ms each. The rest are counted only, and only where one
of these is genuine: else a relay could prove that it works by one forged event more."""
_POLICY = Policy(max_event_bytes=PARSED_AT_ONCE_BYTES, archive_ephemeral=True)
"""A larger event is no proof of anything: checking it takes the event loop too long."""


class ProbeIntake:
    """The `MessageHandler` of a probe. Keeps nothing: the client counts what it takes."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        """Take so much."""
        self._left_bytes = most_bytes
        self._most_bytes = most_bytes
        self._verified = 0
        self._genuine = 0

    def event(self, subscription: Subscription, event: bytes, event_id: str, fields: Mapping[str, Any]) -> None:  # noqa: ARG002
        """Take an event that was asked for.

        Raises:
            EventError: it is not its author's, or so many before it were not that it is taken for one of those.
            RelayError: the relay sends too much.
        """
        self._charge(len(event))
        if self._verified < MOST_VERIFIED:
            self._verified += 1
            found = judge(event, _POLICY)
            if found.verdict is Verdict.REFUSED:
                raise EventError(found.reason or Reason.NOT_JSON, found.field, found.detail or "")
            self._genuine += 1
        elif not self._genuine:
            raise EventError(Reason.BAD_SIGNATURE, None, f"none of the first {MOST_VERIFIED} events was its author's")

    def refuse(self, reason: Reason, value: bytes, field: str | None, detail: str) -> None:  # noqa: ARG002
        """Charge what is not taken."""
        self._charge(len(value))

    def unasked(self, what: Unasked, size_bytes: int) -> None:  # noqa: ARG002
        """Charge what nothing waits for."""
        self._charge(size_bytes)

    def _charge(self, size_bytes: int) -> None:
        self._left_bytes -= max(size_bytes, LEAST_CHARGED_BYTES)
        if self._left_bytes < 0:
            raise RelayError("over_budget", f"sent more than the {self._most_bytes} bytes of a probe")
