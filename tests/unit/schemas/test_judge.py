"""Verdicts: the order of the rules, what quarantine needs, what policy decides, the two forms of an id."""

from __future__ import annotations

from hashlib import sha256

import orjson
import pytest
from hypothesis import given

from schemas.nostr.event import Event, encode_event, event_from_object
from schemas.nostr.event_id import IdForm, compute_id, id_form, serialize
from schemas.nostr.judge import Policy, conclude, examine, judge
from schemas.nostr.signature import public_key, sign, verify, verify_many, verify_message
from schemas.reasons import Reason, Verdict
from tests.unit.schemas.strategies import SECRET, events, signed, texts, texts_with_surrogates

OTHER_SIG = "0" * 128


@given(texts_with_surrogates, texts_with_surrogates)
def test_any_text_can_be_signed_and_is_then_never_refused(name: str, content: str) -> None:
    event = signed(1, [["t", name]], content)
    judgement = judge(encode_event(event), Policy())
    fits = name.encode(errors="ignore").decode() == name and content.encode(errors="ignore").decode() == content
    assert judgement.verdict is (Verdict.ACCEPTED if fits else Verdict.QUARANTINED)
    assert judgement.event == event


@given(events(texts))
def test_the_serialisation_is_what_every_json_library_writes(event: Event) -> None:
    preimage = [0, event.pubkey, event.created_at, event.kind, event.tags, event.content]
    assert orjson.loads(serialize(event._replace(created_at=1, kind=1))) == [*preimage[:2], 1, 1, *preimage[4:]]
    assert compute_id(event) == sha256(serialize(event)).hexdigest()


def test_control_characters_are_written_as_every_implementation_does() -> None:
    event = signed(content='\x00\x01\x1f\x7f\u2028/<\b\f\n\r\t"\\')
    text = serialize(event).decode()
    assert text.endswith(r'[],"\u0000\u0001\u001f' + "\x7f\u2028/<" + r'\b\f\n\r\t\"\\"]')


def test_lone_surrogates_are_hashed_as_their_escapes() -> None:
    assert serialize(signed(content="\ud83d!")).endswith(rb'"\ud83d!"]')


def test_the_del_form_is_tried_only_where_there_is_one() -> None:
    event = signed(content="a\x7fb")
    assert id_form(event) is IdForm.NIP01
    other = sha256(serialize(event).replace(b"\x7f", rb"\u007f")).hexdigest()
    assert id_form(event._replace(id=other)) is IdForm.DEL
    assert id_form(event._replace(id="0" * 64)) is None
    # Without U+007F the text \u007f in a content is text and makes no second form.
    assert id_form(signed(content=r"\u007f")) is IdForm.NIP01


def test_rules_are_tried_cheapest_first() -> None:
    event = signed(content="x" * 100)
    raw = encode_event(event)
    small = Policy(max_event_bytes=len(raw) - 1)
    assert judge(raw, Policy(max_event_bytes=len(raw))).verdict is Verdict.ACCEPTED
    assert judge(raw, small).reason is Reason.TOO_LARGE
    assert judge(b"x" * len(raw), small).reason is Reason.TOO_LARGE
    assert judge(raw[:-1], Policy()).reason is Reason.NOT_JSON
    altered = event._replace(content="y", sig=OTHER_SIG)
    assert judge(encode_event(altered._replace(id="G" * 64)), Policy()).reason is Reason.BAD_FIELD
    assert judge(encode_event(altered), Policy()).reason is Reason.ID_MISMATCH
    assert judge(encode_event(event._replace(sig=OTHER_SIG)), Policy()).reason is Reason.BAD_SIGNATURE


@pytest.mark.parametrize(
    ("event", "reason", "field"),
    [
        (signed(created_at=2**40), Reason.CREATED_AT_OUT_OF_RANGE, "created_at"),
        (signed(created_at=-1), Reason.CREATED_AT_OUT_OF_RANGE, "created_at"),
        (signed(created_at=2**64), Reason.CREATED_AT_OUT_OF_RANGE, "created_at"),
        (signed(65536), Reason.KIND_OUT_OF_RANGE, "kind"),
        (signed(2**64), Reason.KIND_OUT_OF_RANGE, "kind"),
        (signed(content="\udfff"), Reason.LONE_SURROGATE, "content"),
        (signed(tags=[["a"], ["b", "\ud800"]]), Reason.LONE_SURROGATE, "tags[1][1]"),
    ],
)
def test_quarantine_needs_id_and_signature(event: Event, reason: Reason, field: str) -> None:
    assert judge(encode_event(event), Policy())[:3] == (Verdict.QUARANTINED, reason, field)
    assert judge(encode_event(event._replace(sig=OTHER_SIG)), Policy()).reason is Reason.BAD_SIGNATURE
    assert judge(encode_event(event._replace(id="0" * 64)), Policy()).reason is Reason.ID_MISMATCH


@pytest.mark.parametrize(
    "event", [signed(created_at=2**40 - 1), signed(created_at=0), signed(65535), signed(content="\x00")]
)
def test_what_the_archive_can_represent_is_accepted(event: Event) -> None:
    assert judge(encode_event(event), Policy()).verdict is Verdict.ACCEPTED


def test_policy_decides_about_ephemeral_kinds_but_not_about_auth() -> None:
    keep = Policy(archive_ephemeral=True)
    for kind in (20_000, 22_242, 29_999):
        raw = encode_event(signed(kind))
        assert judge(raw, Policy())[:3] == (Verdict.REFUSED, Reason.KIND_NOT_ARCHIVED, "kind")
        assert judge(raw, keep).verdict is (Verdict.REFUSED if kind == 22_242 else Verdict.ACCEPTED)
    for kind in (19_999, 30_000):
        assert judge(encode_event(signed(kind)), Policy()).verdict is Verdict.ACCEPTED


def test_a_signature_cannot_save_what_is_refused() -> None:
    refused = examine(b"{}", Policy())
    assert conclude(refused, signature_valid=True) == refused
    assert conclude(refused, signature_valid=False) == refused
    accepted = examine(encode_event(signed()), Policy())
    assert conclude(accepted, signature_valid=True) == accepted
    assert conclude(accepted, signature_valid=False).reason is Reason.BAD_SIGNATURE


def test_signatures_are_of_one_key_and_one_id() -> None:
    event, other = signed(content="a"), signed(content="b")
    assert verify(event.pubkey, event.id, event.sig)
    triples = [(e.pubkey, e.id, s) for e in (event, other) for s in (event.sig, other.sig)]
    no_key = ("f" * 64, event.id, event.sig)
    assert verify_many([*triples, no_key]) == [True, False, False, True, False]
    assert verify_many([]) == []


def test_keys_and_signatures_of_other_lengths_are_none() -> None:
    event = signed()
    key, message, sig = (bytes.fromhex(value) for value in (event.pubkey, event.id, event.sig))
    assert verify_message(key, message, sig)
    assert not verify_message(b"\x02" + key, message, sig)  # A key of ECDSA, which the binding would take.
    assert not verify_message(key[:-1], message, sig)
    assert not verify_message(key, message, sig[:-1])


def test_signing_is_deterministic_and_refuses_what_is_no_key() -> None:
    assert sign(SECRET, bytes(32)) == sign(SECRET, bytes(32))
    for secret in (bytes(32), b"\xff" * 32, b"\x01"):
        with pytest.raises(ValueError, match=r"."):
            public_key(secret)
    with pytest.raises(ValueError, match=r"."):
        sign(SECRET, bytes(31))


def test_objects_and_texts_are_judged_alike() -> None:
    event = signed(content="\x00")
    assert event_from_object(orjson.loads(encode_event(event))) == event
