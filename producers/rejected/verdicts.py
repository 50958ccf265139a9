"""Validates refused input again, by the present code and settings: pure functions of bytes and headers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypeAlias

from producers.rejected.records import RejectedInput
from schemas.nostr.filters import Filter
from schemas.nostr.judge import Policy, judge
from schemas.nostr.messages import unwrapped
from schemas.nostr.wire import message_event, open_event_frame
from schemas.reasons import Reason, Verdict
from schemas.records.bundle import BundleLine, HeldLine, decode_lines

Copy: TypeAlias = "BundleLine | HeldLine"
ACCEPTED = Verdict.ACCEPTED.value
_ENVELOPES = (b'{"relay":', b'{"event":')
"""How a line begins that says of an event where and when it was seen; no event begins so."""


class Judged(NamedTuple):
    """The verdict on an input now: `accepted`, or the verdict and its reason; and what to publish, if anything.

    `id` is the event's, which decides the partition.
    """

    verdict: str
    copy: Copy | None = None
    id: str = ""


def judge_again(item: RejectedInput, policy: Policy, filters: Sequence[Filter]) -> Judged:
    """Validate what was refused as an event, as part of a frame, or as a line of a bundle.

    What a relay sent unasked (`filter_mismatch`) is accepted where one of the present filters asks for it. What was
    refused and must now be quarantined is published too: there it is kept without limit. What the rules still fail on
    (`internal_error`) stays where it is.

    Args:
        item: of the stages connector, import and validate.
        policy: of the processor.
        filters: of the connector.
    """
    if item.rejection is None:
        return Judged("headers cannot be read")
    copy = _copy(item, item.rejection.relay)
    if isinstance(copy, HeldLine):
        return Judged(ACCEPTED, copy, copy.id)
    if copy is None:
        return Judged(_refused(item.rejection.reason))
    judgement = judge(copy.event, policy)
    event = judgement.event
    if event is None or judgement.verdict is Verdict.REFUSED:
        return Judged(f"{judgement.verdict.value}, {judgement.reason}")
    if item.rejection.reason is Reason.FILTER_MISMATCH and not any(wanted.matches(event) for wanted in filters):
        return Judged(_refused(Reason.FILTER_MISMATCH))
    if judgement.verdict is Verdict.ACCEPTED:
        return Judged(ACCEPTED, copy, event.id)
    verdict = f"{judgement.verdict.value}, {judgement.reason}"
    return Judged(verdict) if item.place.topic == "quarantine" else Judged(verdict, copy, event.id)


def _refused(reason: Reason | None) -> str:
    return f"{Verdict.REFUSED.value}, {reason}"


def _copy(item: RejectedInput, relay: str | None) -> Copy | None:
    """What the bytes hold now; None where that cannot be told."""
    assert item.rejection is not None
    raw = item.value
    if item.rejection.reason is Reason.BAD_FRAME:
        opened = open_event_frame(raw) or open_event_frame(unwrapped(raw))
        if opened is None:
            return None
        raw = opened.event
    if item.rejection.reason is Reason.BAD_BUNDLE or raw.startswith(_ENVELOPES):
        lines = [line for line in decode_lines(raw) if isinstance(line, BundleLine | HeldLine)]
        if len(lines) != 1:
            return None
        line = lines[0]
        return line._replace(relay=relay) if isinstance(line, BundleLine) and line.relay is None else line
    if raw.startswith(b"["):  # An EVENT message, which earlier versions did not take from files.
        raw = message_event(raw) or raw
    seen_at_ms = item.rejection.seen_at_ms
    # Without it the time of the refusal is nearest: moments after the copy came.
    return BundleLine(relay, item.time_ms if seen_at_ms is None else seen_at_ms, raw)
