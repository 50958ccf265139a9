"""The verdicts on every file of test data: real events, altered ones, synthetic edges, published vectors."""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from schemas.nostr.judge import Policy, judge
from schemas.nostr.signature import public_key, sign, verify_message
from schemas.nostr.wire import find_id, one_line, split_event_frame
from schemas.reasons import EventError, Reason, Verdict

BAD_FIELD = (Verdict.REFUSED, Reason.BAD_FIELD)
ID_MISMATCH = (Verdict.REFUSED, Reason.ID_MISMATCH)
BAD_SIGNATURE = (Verdict.REFUSED, Reason.BAD_SIGNATURE)
NOT_JSON = (Verdict.REFUSED, Reason.NOT_JSON)
NOT_ARCHIVED = (Verdict.REFUSED, Reason.KIND_NOT_ARCHIVED)
CREATED_AT = (Verdict.QUARANTINED, Reason.CREATED_AT_OUT_OF_RANGE)
KIND = (Verdict.QUARANTINED, Reason.KIND_OUT_OF_RANGE)
TAG_NOT_TEXT = (Verdict.QUARANTINED, Reason.TAG_NOT_TEXT)
SURROGATE = (Verdict.QUARANTINED, Reason.LONE_SURROGATE)

EDGES: dict[str, tuple[Verdict, Reason]] = {
    # Numbers of JSON that are no integers, and other wrong types.
    "kind_neg": BAD_FIELD,
    "kind_float_1_0": BAD_FIELD,
    "kind_string": BAD_FIELD,
    "kind_bool": BAD_FIELD,
    "created_at_exponent": BAD_FIELD,
    "created_at_string": BAD_FIELD,
    "tags_object": BAD_FIELD,
    "content_null": BAD_FIELD,
    "content_object": BAD_FIELD,
    "not_object": BAD_FIELD,
    "tag_number": TAG_NOT_TEXT,
    "tag_null": TAG_NOT_TEXT,
    "tag_bool_nested": TAG_NOT_TEXT,
    # A tag that is no array would be quarantined like these, but its id is of other tags.
    "tags_of_strings": ID_MISMATCH,
    "upper_id": BAD_FIELD,
    "upper_sig": BAD_FIELD,
    "upper_pubkey_hashed_upper": BAD_FIELD,
    "sig_short": BAD_FIELD,
    "id_not_hex": BAD_FIELD,
    "id_65": BAD_FIELD,
    **{f"missing_{name}": BAD_FIELD for name in ("id", "pubkey", "created_at", "kind", "tags", "content", "sig")},
    "truncated": NOT_JSON,
    "nan": NOT_JSON,
    "python_bigint_dos": NOT_JSON,
    "deep_nesting": NOT_JSON,
    "content_changed_sig_matches_id": ID_MISMATCH,
    "bad_sig_bitflip": BAD_SIGNATURE,
    "id_recomputed_sig_old": BAD_SIGNATURE,
    "other_pubkey": BAD_SIGNATURE,
    "pubkey_not_on_curve": BAD_SIGNATURE,
    "sig_zero": BAD_SIGNATURE,
    "auth_22242": NOT_ARCHIVED,
    "ephemeral_20001": NOT_ARCHIVED,
    "lone_high_surrogate": SURROGATE,
    "lone_low_surrogate_in_tag": SURROGATE,
    "kind_65536": KIND,
    "kind_2pow40": KIND,
    "created_at_ms": CREATED_AT,  # Milliseconds of 2023 are above 2^40 seconds.
    "created_at_2pow53_plus_1": CREATED_AT,
    "created_at_i64_max": CREATED_AT,
    "created_at_2pow63": CREATED_AT,
    "created_at_u64_max": CREATED_AT,
    # The file advises rejection of these two; the design rules: signed, dated at or above 2^40 or below 0.
    "created_at_2pow64": CREATED_AT,
    "created_at_negative": CREATED_AT,
}
"""Every edge case that is not accepted. NUL is accepted, where the file advises quarantine: the design rules."""


def lines(path: Path) -> list[bytes]:
    """The lines of a file, unpacked."""
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return data.splitlines()


def verdicts(raws: list[bytes], policy: Policy) -> Counter[tuple[Verdict, Reason | None]]:
    """How often each verdict is given."""
    return Counter((judgement.verdict, judgement.reason) for judgement in (judge(raw, policy) for raw in raws))


def test_bip340_vectors(shared_data: Path) -> None:
    with (shared_data / "bip340_test_vectors.csv").open() as file:
        vectors = list(csv.DictReader(file))
    assert len(vectors) == 19
    assert {len(vector["message"]) // 2 for vector in vectors} == {0, 1, 17, 32, 100}
    for vector in vectors:
        pubkey, message, sig = (bytes.fromhex(vector[name]) for name in ("public key", "message", "signature"))
        assert verify_message(pubkey, message, sig) is (vector["verification result"] == "TRUE"), vector["comment"]
        if vector["secret key"]:
            assert public_key(bytes.fromhex(vector["secret key"])) == vector["public key"].lower()
    first = vectors[0]
    assert sign(bytes.fromhex(first["secret key"]), bytes.fromhex(first["message"])) == first["signature"].lower()


def test_real_events_of_repositories(shared_data: Path) -> None:
    raws = lines(shared_data / "events_valid_real.jsonl")
    assert verdicts(raws, Policy()) == {(Verdict.ACCEPTED, None): 780}


@pytest.mark.slow
def test_real_events(shared_data: Path) -> None:
    raws = lines(shared_data / "real-events.jsonl.gz")
    assert verdicts(raws, Policy(archive_ephemeral=True)) == {(Verdict.ACCEPTED, None): 7457}
    # Three of them are of ephemeral kinds (22456 twice, 27235), which the default policy does not archive.
    assert verdicts(raws, Policy()) == {(Verdict.ACCEPTED, None): 7454, NOT_ARCHIVED: 3}


def test_captured_frames(shared_data: Path) -> None:
    frames = lines(shared_data / "relay_messages_2025-03.jsonl")
    opened = [split_event_frame(frame) for frame in frames]
    assert Counter(frame is not None for frame in opened) == {True: 532, False: len(frames) - 532}
    for frame, message in zip(opened, frames, strict=True):
        if frame is not None:
            assert frame.subid == json.loads(message)[1]
            assert json.loads(frame.event) == json.loads(message)[2]
            assert find_id(frame.event) == json.loads(message)[2]["id"]
    events = [frame.event for frame in opened if frame is not None]
    assert verdicts(events, Policy(archive_ephemeral=True)) == {(Verdict.ACCEPTED, None): 532}


def test_id_mismatches(shared_data: Path) -> None:
    raws = [
        json.dumps(json.loads(line)["event"]).encode() for line in lines(shared_data / "events_id_mismatch_real.jsonl")
    ]
    assert verdicts(raws, Policy()) == {ID_MISMATCH: 21}


def test_edge_events(shared_data: Path) -> None:
    cases: list[dict[str, Any]] = [json.loads(line) for line in lines(shared_data / "events_edge_synthetic.jsonl")]
    assert len(cases) == 89
    assert EDGES.keys() <= {case["name"] for case in cases}
    found = {}
    for case in cases:
        judgement = judge(case["raw"].encode(), Policy())
        found[case["name"]] = (judgement.verdict, judgement.reason)
    expected = {case["name"]: EDGES.get(case["name"], (Verdict.ACCEPTED, None)) for case in cases}
    assert found == expected


def test_invalid_events(shared_data: Path) -> None:
    cases = [json.loads(line) for line in lines(shared_data / "invalid-events.jsonl.gz")]
    assert len(cases) == 83
    for case in cases:
        judgement = judge(json.dumps(case["event"]).encode(), Policy())
        if "created_at is not an integer" in case["reason"]:
            assert (judgement.verdict, judgement.reason, judgement.field) == (*BAD_FIELD, "created_at")
        elif "sig does not verify" in case["reason"]:
            assert (judgement.verdict, judgement.reason) == BAD_SIGNATURE
        else:
            assert (judgement.verdict, judgement.reason) == ID_MISMATCH, case["reason"]


def test_a_raw_newline_inside_a_string_is_refused_everywhere(shared_data: Path) -> None:
    cases = [json.loads(line) for line in lines(shared_data / "invalid-events.jsonl.gz")]
    broken = [json.dumps(case["event"]).encode() for case in cases if "65,536 bytes" in case["reason"]]
    assert len(broken) == 2
    for escaped in broken:
        # The newlines are the only defect: without them the events are the genuine ones.
        assert judge(escaped.replace(rb"\n", b""), Policy()).verdict is Verdict.ACCEPTED
        raw = escaped.replace(rb"\n", b"\n")
        assert judge(raw, Policy())[:2] == NOT_JSON
        assert find_id(raw) is None
        assert split_event_frame(b'["EVENT","s",' + raw + b"]") is None
        with pytest.raises(EventError) as error:
            one_line(raw)
        assert error.value.reason is Reason.NOT_JSON
