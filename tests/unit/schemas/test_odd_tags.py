"""Tags that hold something else than text: what was signed so is quarantined, and the rest is refused."""

from __future__ import annotations

import json
import pickle
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.nostr.deletion import recipients
from schemas.nostr.event import Event, OddTagsError, parse_event
from schemas.nostr.facts import expiration
from schemas.nostr.judge import Policy, judge
from schemas.nostr.kinds import GIFT_WRAP_KIND
from schemas.nostr.signature import public_key, sign
from schemas.reasons import Reason, Verdict
from tests.unit.schemas.strategies import SECRET, json_values, spellings, texts, texts_with_surrogates

KEY = "ab" * 32
PUBKEY = public_key(SECRET)
QUARANTINED = (Verdict.QUARANTINED, Reason.TAG_NOT_TEXT)
ODD = {
    "null": ('[["p",null]]', "tags[0][1]"),
    "null behind text": (f'[["e","x"],["p","{KEY}",null,"name"]]', "tags[1][2]"),
    "null as name": ("[[null]]", "tags[0][0]"),
    "true": ('[["a",true]]', "tags[0][1]"),
    "false": ('[["a",false]]', "tags[0][1]"),
    "integer": ('[["amount",21]]', "tags[0][1]"),
    "negative": ('[["amount",-21]]', "tags[0][1]"),
    "array": ('[["x",["y",[]]]]', "tags[0][1]"),
    "object": ('[["x",{"b":1,"a":[null]}]]', "tags[0][1]"),
    "empty object": ('[["x",{}]]', "tags[0][1]"),
    "deep": ('[["x",' + "[" * 300 + "]" * 300 + "]]", "tags[0][1]"),
    "a tag that is null": ('[["t","x"],null]', "tags[1]"),
    "a tag that is text": ('["t",["t","x"]]', "tags[0]"),
    "a tag that is a number": ("[7]", "tags[0]"),
    "a tag that is true": ("[true]", "tags[0]"),
    "a tag that is an object": ('[{"t":"x"}]', "tags[0]"),
    # Numbers on whose spelling no two libraries need agree: what stands in the event counts.
    "1.0": ('[["x",1.0]]', "tags[0][1]"),
    "-0.0": ('[["x",-0.0]]', "tags[0][1]"),
    "1e21 of Rust": ('[["x",1e21]]', "tags[0][1]"),
    "1e+21 of ECMAScript": ('[["x",1e+21]]', "tags[0][1]"),
    "1E-07": ('[["x",1E-07]]', "tags[0][1]"),
    "beyond a double": ('[["x",1e400]]', "tags[0][1]"),
    "2^64": ('[["x",18446744073709551616]]', "tags[0][1]"),
    "400 digits": ('[["x",' + "9" * 400 + "]]", "tags[0][1]"),
}


def signed(tags: str, *, content: str = "c", kind: int = 1, created_at: int = 1_700_000_000) -> dict[str, Any]:
    """The members of an event over tags as they are serialised for its id."""
    text = json.dumps(content, ensure_ascii=False)
    preimage = f'[0,"{PUBKEY}",{created_at},{kind},{tags},{text}]'.encode("utf-8", "backslashreplace")
    event_id = sha256(preimage).hexdigest()
    sig = sign(SECRET, bytes.fromhex(event_id))
    return {"id": event_id, "pubkey": PUBKEY, "created_at": created_at, "kind": kind, "content": content, "sig": sig}


def written(members: dict[str, Any], tags: str) -> bytes:
    return json.dumps({**members, "tags": "TAGS"}).replace('"TAGS"', tags).encode()


@pytest.mark.parametrize(("tags", "field"), ODD.values(), ids=ODD)
def test_what_was_signed_so_is_quarantined_and_all_else_refused(tags: str, field: str) -> None:
    members = signed(tags)
    judgement = judge(written(members, tags), Policy())
    assert judgement[:3] == (*QUARANTINED, field)
    assert judgement.detail is not None
    assert len(judgement.detail) < 100
    assert judge(written({**members, "sig": "0" * 128}, tags), Policy()).reason is Reason.BAD_SIGNATURE
    assert judge(written({**members, "content": "d"}, tags), Policy()).reason is Reason.ID_MISMATCH
    assert judge(written(members, tags[:-1] + ',["t","added"]]'), Policy()).reason is Reason.ID_MISMATCH


@given(
    st.lists(st.one_of(json_values, st.lists(json_values, max_size=4)), max_size=4), texts_with_surrogates, st.data()
)
def test_spelling_does_not_matter_but_that_of_numbers(tags: list[Any], content: str, data: st.DataObject) -> None:
    serialised = json.dumps(tags, ensure_ascii=False, separators=(",", ":"))
    fields = list({**signed(serialised, content=content), "tags": tags, "tags ": [1]}.items())
    raw = data.draw(spellings(dict(data.draw(st.permutations(fields)))))
    judgement = judge(raw, Policy())
    if all(isinstance(tag, list) and all(isinstance(item, str) for item in tag) for tag in tags):
        assert judgement.reason is not Reason.TAG_NOT_TEXT
        assert judgement.verdict is not Verdict.REFUSED
    else:
        assert judgement[:2] == QUARANTINED


@given(st.data(), texts)
def test_of_members_of_one_name_the_last_counts(data: st.DataObject, text: str) -> None:
    tags = json.dumps([[text, None]], ensure_ascii=False, separators=(",", ":"))
    name = data.draw(st.sampled_from(["tags", r"\u0074ags"]))
    raw = b'{"tags":[["other"]],"x":{"tags":[]},"' + name.encode() + b'":' + tags.encode() + b","
    assert judge(raw + json.dumps(signed(tags)).encode()[1:], Policy())[:2] == QUARANTINED


def test_an_escaped_u007f_may_have_been_signed_as_strfry_does() -> None:
    escaped = r'[["x\u007f",null]]'
    assert judge(written(signed(escaped), escaped), Policy())[:2] == QUARANTINED
    plain = '[["x\x7f",null]]'
    assert judge(written(signed(plain), escaped), Policy())[:2] == QUARANTINED


def test_other_rules_come_first() -> None:
    tags = '[["x",null]]'
    assert judge(written(signed(tags, kind=20_001), tags), Policy()).reason is Reason.KIND_NOT_ARCHIVED
    assert judge(written(signed(tags, kind=65_536), tags), Policy()).reason is Reason.KIND_OUT_OF_RANGE
    assert judge(written(signed(tags, created_at=-1), tags), Policy()).reason is Reason.CREATED_AT_OUT_OF_RANGE
    content = judge(written({**signed(tags), "content": None}, tags), Policy())
    assert (content.reason, content.field) == (Reason.BAD_FIELD, "content")
    for no_array in ("{}", "null", '"t"', "1"):
        refused = judge(written(signed(no_array), no_array), Policy())
        assert (refused.verdict, refused.reason, refused.field) == (Verdict.REFUSED, Reason.BAD_FIELD, "tags")


def test_what_is_asked_of_such_an_event_meets_text_alone() -> None:
    other = "cd" * 32
    tags = f'[["p",null],["p","{KEY}",null,"x"],null,["p"],["p","{other}"],["expiration",5],["expiration","6"]]'
    event = judge(written(signed(tags, kind=GIFT_WRAP_KIND), tags), Policy()).event
    assert event is not None
    assert event.tags == [["p"], ["p", KEY], [], ["p"], ["p", other], ["expiration"], ["expiration", "6"]]
    assert recipients(event) == [bytes.fromhex(KEY), bytes.fromhex(other)]
    assert expiration(event) is None  # The first tag of that name counts, and it has no value.


def test_the_event_travels_with_the_error() -> None:
    tags = '[["p",null]]'
    with pytest.raises(OddTagsError) as error:
        parse_event(written(signed(tags), tags))
    again = pickle.loads(pickle.dumps(error.value))
    assert isinstance(again.event, Event)
    assert (again.reason, again.field, again.event) == (Reason.BAD_FIELD, "tags[0][1]", error.value.event)


def test_the_rules_themselves_may_fail_and_that_is_said_of_the_input() -> None:
    no_limit: Any = "none"
    judgement = judge(b"{}", Policy(max_event_bytes=no_limit))
    assert (judgement.verdict, judgement.reason, judgement.event) == (
        Verdict.QUARANTINED,
        Reason.INTERNAL_ERROR,
        None,
    )
    assert "TypeError" in (judgement.detail or "")


def test_the_sample_of_the_field(shared_data: Path) -> None:
    sample = shared_data / "field-cases" / "null_tag.jsonl"
    if not sample.exists():
        pytest.skip("the sample field-cases/null_tag.jsonl is not in shared/data")
    assert judge(sample.read_bytes().strip(), Policy())[:3] == (*QUARANTINED, "tags[0][2]")
