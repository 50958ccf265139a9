"""What refused input is judged to be now, and how it is shown without harm."""

from __future__ import annotations

from typing import Any

import pytest

from producers.rejected.records import UNREADABLE, Place, RejectedInput, Selection
from producers.rejected.verdicts import Judged, judge_again
from schemas.nostr.event import Event, encode_event
from schemas.nostr.event_id import compute_id
from schemas.nostr.filters import Filter
from schemas.nostr.judge import Policy
from schemas.nostr.signature import public_key, sign
from schemas.reasons import Reason
from schemas.records.bundle import BundleLine, HeldLine, encode_held_line, encode_line
from schemas.records.rejection import Rejection

SECRET = b"\x05" * 32
RELAY = "wss://a.example"
ANY = [Filter()]


def signed(kind: int = 1, content: str = "c") -> Event:
    draft = Event("", public_key(SECRET), 1_700_000_000, kind, [], content, "")
    event_id = compute_id(draft)
    return draft._replace(id=event_id, sig=sign(SECRET, bytes.fromhex(event_id)))


def refused(value: bytes, reason: Reason, *, topic: str = "rejections", stage: str = "validate", **more: Any) -> Any:
    rejection = Rejection(reason=reason, stage=stage, **{"relay": RELAY, "seen_at_ms": 7, **more})
    return RejectedInput.of(Place(topic, 3, 17), 1_700_000_000_123, None, value, rejection.to_headers())


EVENT = signed()
RAW = encode_event(EVENT)
ACCEPTED = Judged("accepted", BundleLine(RELAY, 7, RAW), EVENT.id)
ODD = signed(70_000)
ODD_RAW = encode_event(ODD)
QUARANTINED = "quarantined, kind_out_of_range"
LATER = BundleLine(RELAY, 1_700_000_000_123, RAW)
FOREIGN = BundleLine("wss://b.example", 5, RAW)
UNREAD = RejectedInput.of(Place("rejections", 0, 0), 5, None, RAW, [("reason", b"of tomorrow")])
HELD = HeldLine("wss://b.example", 5, EVENT.id, EVENT.created_at)


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (refused(RAW, Reason.KIND_NOT_ARCHIVED), ACCEPTED),
        (refused(RAW, Reason.CREATED_AT_OUT_OF_RANGE, topic="quarantine"), ACCEPTED),
        (refused(RAW, Reason.NO_ID, stage="connector", seen_at_ms=None), ACCEPTED._replace(copy=LATER)),
        (refused(b'\xef\xbb\xbf ["EVENT","s",' + RAW + b"]\n", Reason.BAD_FRAME, stage="connector"), ACCEPTED),
        (refused(b'["EVENT",' + RAW + b"]", Reason.NOT_JSON, stage="import"), ACCEPTED),
        (refused(b'["EVENT","s",' + RAW + b"]", Reason.NOT_JSON, stage="import"), ACCEPTED),
        (refused(b'["EOSE","s"]', Reason.NOT_JSON, stage="import"), Judged("refused, bad_field")),
        (refused(b'["NOTICE","x"]', Reason.BAD_FRAME, stage="connector"), Judged("refused, bad_frame")),
        (refused(encode_held_line(HELD).strip(), Reason.BAD_BUNDLE), Judged("accepted", HELD, EVENT.id)),
        (
            refused(encode_line("wss://b.example", 5, RAW).strip(), Reason.BAD_FIELD, stage="import"),
            ACCEPTED._replace(copy=FOREIGN),
        ),
        (refused(b"no line", Reason.BAD_BUNDLE), Judged("refused, bad_bundle")),
        (refused(RAW[:-9], Reason.BAD_SIGNATURE), Judged("refused, not_json")),
        (refused(RAW.replace(b'"c"', b'"d"'), Reason.BAD_SIGNATURE), Judged("refused, id_mismatch")),
        (refused(encode_event(signed(20_001)), Reason.KIND_NOT_ARCHIVED), Judged("refused, kind_not_archived")),
        (refused(ODD_RAW, Reason.KIND_OUT_OF_RANGE, topic="quarantine"), Judged(QUARANTINED)),
        (refused(ODD_RAW, Reason.BAD_FIELD), Judged(QUARANTINED, BundleLine(RELAY, 7, ODD_RAW), ODD.id)),
        (refused(b"", Reason.NOT_JSON), Judged("refused, not_json")),
        (UNREAD, Judged("headers cannot be read")),
    ],
)
def test_the_present_code_judges_what_an_earlier_one_refused(item: RejectedInput, expected: Judged) -> None:
    assert judge_again(item, Policy(), ANY) == expected


@pytest.mark.parametrize("raw", [RAW, encode_held_line(HELD).strip()])
def test_what_the_rules_failed_on_is_sent_again_once_they_do_not(raw: bytes) -> None:
    item = refused(raw, Reason.INTERNAL_ERROR, topic="quarantine")
    judged = judge_again(item, Policy(), ANY)
    assert (judged.verdict, judged.copy) == ("accepted", ACCEPTED.copy if raw == RAW else HELD)


def test_what_the_rules_still_fail_on_stays() -> None:
    no_limit: Any = "none"
    item = refused(RAW, Reason.INTERNAL_ERROR, topic="quarantine")
    assert judge_again(item, Policy(max_event_bytes=no_limit), ANY) == Judged("quarantined, internal_error")


def test_what_was_sent_unasked_is_taken_where_a_present_filter_asks_for_it() -> None:
    item = refused(RAW, Reason.FILTER_MISMATCH, stage="connector")
    assert judge_again(item, Policy(), ANY) == ACCEPTED
    assert judge_again(item, Policy(), [Filter(kinds=(0, 3)), Filter(kinds=(1,))]) == ACCEPTED
    assert judge_again(item, Policy(), [Filter(kinds=(0, 3))]) == Judged("refused, filter_mismatch")


def test_the_policy_of_today_counts() -> None:
    item = refused(encode_event(signed(20_001)), Reason.KIND_NOT_ARCHIVED)
    assert judge_again(item, Policy(archive_ephemeral=True), ANY).verdict == "accepted"


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Selection(), True),
        (Selection(topics=("quarantine",)), False),
        (Selection(reasons=frozenset({"no_id", "not_json"})), True),
        (Selection(reasons=frozenset({UNREADABLE})), False),
        (Selection(stages=frozenset({"sink"})), False),
        (Selection(relay=RELAY), True),
        (Selection(relay="wss://b.example"), False),
        (Selection(since_ms=1_700_000_000_123), True),
        (Selection(since_ms=1_700_000_000_124), False),
        (Selection(until_ms=1_700_000_000_123), False),
    ],
)
def test_every_condition_must_hold(wanted: Selection, *, found: bool) -> None:
    assert wanted.wants(refused(b"", Reason.NOT_JSON)) is found


def test_places_are_read_as_they_are_written() -> None:
    assert str(Place.parse("nostr.quarantine/3/17")) == "quarantine/3/17"
    for wrong in ("", "events/3/17", "rejections/3", "rejections/-1/2", "rejections/3/17 "):
        with pytest.raises(ValueError, match="is no place"):
            Place.parse(wrong)
