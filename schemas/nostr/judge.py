"""Validates an event's bytes, the cheapest rule first: size, JSON, fields, id, policy; then the signature.

The verdict depends on the bytes and the policy alone, never on the clock or on what came before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from schemas.nostr.event import Event, OddTagsError, parse_event
from schemas.nostr.event_id import IdForm, Preimage, form_of, inspect_preimage, serialize_odd
from schemas.nostr.kinds import AUTH_KIND, EPHEMERAL_KINDS, MAX_KIND
from schemas.nostr.signature import verify
from schemas.reasons import EventError, Reason, Verdict
from schemas.topics import RAW_LIMIT_BYTES

CREATED_AT_END = 2**40
"""The archive keeps dates below this many seconds (the year 36,812). Beyond lie dates in milliseconds, which would
break time-ordered storage here as they do in relays that pack a date into 40 bits."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What an operator decides about validation.

    Attributes:
        max_event_bytes: events larger than this are refused.
        archive_ephemeral: whether kinds that relays do not store (20000 to 29999) are archived. Kind 22242 never is.
    """

    max_event_bytes: int = RAW_LIMIT_BYTES
    archive_ephemeral: bool = False


class Judgement(NamedTuple):
    """A verdict, with reason, field and a sentence unless accepted, and the event as far as it could be read.

    Of an event whose tags hold something else than text, `event` has only the text: what it says of its author, its
    recipients or its end can be asked, but it is not what was signed.
    """

    verdict: Verdict
    reason: Reason | None = None
    field: str | None = None
    detail: str | None = None
    event: Event | None = None
    id_form: IdForm | None = None


def examine(raw: bytes, policy: Policy) -> Judgement:
    """Validate everything but the signature.

    An accepted or quarantined judgement holds only once the signature is known to be right: see `conclude`.
    """
    if len(raw) > policy.max_event_bytes:
        return Judgement(
            Verdict.REFUSED, Reason.TOO_LARGE, None, f"is {len(raw)} bytes; at most {policy.max_event_bytes} are taken"
        )
    odd: OddTagsError | None = None
    try:
        event = parse_event(raw)
        preimage = inspect_preimage(event)
    except OddTagsError as error:
        odd, event = error, error.event
        preimage = Preimage(serialize_odd(raw, event), portable=False)
    except EventError as error:
        return Judgement(Verdict.REFUSED, error.reason, error.field, error.detail)
    form = form_of(preimage.data, event.id)
    if form is None:
        return Judgement(
            Verdict.REFUSED,
            Reason.ID_MISMATCH,
            "id",
            "is not the hash of the event: it was altered or mis-hashed",
            event,
        )
    kind = event.kind
    if kind in EPHEMERAL_KINDS and (not policy.archive_ephemeral or kind == AUTH_KIND):
        return Judgement(
            Verdict.REFUSED, Reason.KIND_NOT_ARCHIVED, "kind", f"kind {kind} is not archived by policy", event
        )
    if not 0 <= event.created_at < CREATED_AT_END:
        return Judgement(
            Verdict.QUARANTINED,
            Reason.CREATED_AT_OUT_OF_RANGE,
            "created_at",
            "is outside 0 to 2^40 - 1 seconds",
            event,
            form,
        )
    if kind > MAX_KIND:
        return Judgement(Verdict.QUARANTINED, Reason.KIND_OUT_OF_RANGE, "kind", f"is above {MAX_KIND}", event, form)
    if odd is not None:
        return Judgement(Verdict.QUARANTINED, Reason.TAG_NOT_TEXT, odd.field, odd.detail, event, form)
    if not preimage.portable and (field := _lone_surrogate(event)):
        return Judgement(
            Verdict.QUARANTINED,
            Reason.LONE_SURROGATE,
            field,
            "holds half of a surrogate pair, no character",
            event,
            form,
        )
    return Judgement(Verdict.ACCEPTED, None, None, None, event, form)


def conclude(judgement: Judgement, *, signature_valid: bool) -> Judgement:
    """Settle what `examine` found, once the signature has been checked."""
    if signature_valid or judgement.verdict is Verdict.REFUSED:
        return judgement
    return Judgement(
        Verdict.REFUSED, Reason.BAD_SIGNATURE, "sig", "is not the author's signature of the id", judgement.event
    )


def judge(raw: bytes, policy: Policy) -> Judgement:
    """Validate an event, signature included. Never raises: where the rules themselves fail, it says so (`failed`)."""
    try:
        judgement = examine(raw, policy)
        event = judgement.event
        if event is None or judgement.verdict is Verdict.REFUSED:
            return judgement
        return conclude(judgement, signature_valid=verify(event.pubkey, event.id, event.sig))
    except Exception as error:  # noqa: BLE001 - whatever the rules did not foresee, it is about this input alone
        return failed(error)


def failed(error: Exception) -> Judgement:
    """What is said of an input on which the rules themselves failed; the error's own words may repeat the input."""
    detail = f"could not be validated: {type(error).__name__}; see the log for the traceback, then `rejections replay`"
    return Judgement(Verdict.QUARANTINED, Reason.INTERNAL_ERROR, None, detail)


def _lone_surrogate(event: Event) -> str | None:
    """The field that holds a lone surrogate, or None."""
    if not _encodable(event.content):
        return "content"
    for place, tag in enumerate(event.tags):
        for index, item in enumerate(tag):
            if not _encodable(item):
                return f"tags[{place}][{index}]"
    return None


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
