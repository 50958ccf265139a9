"""Relay information documents: what is understood of odd ones, and that no bytes are too odd."""

from __future__ import annotations

import codecs
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.nostr.relay_document import (
    LONGEST_TEXT,
    Limitation,
    NotADocumentError,
    RelayInformation,
    content_hash,
    document_text,
    parse_document,
)
from schemas.records.relay_health import Limits
from schemas.records.relay_limits import limits
from tests.unit.schemas.strategies import json_values

KEY = "3bf0c63fcb93463407af97a5e5ee64fa883d107ef9e558472c4eb9aaaefa459d"
NPUB = "npub180cvv07tjdrrgpa0j7j7tmnyl2yr6yr7l8j4s3evf6u64th6gkwsyjh6w6"
MEMBERS = [
    "name", "description", "banner", "icon", "pubkey", "self", "contact", "supported_nips", "software", "version",
    "limitation", "fees", "payments_url", "negentropy", "tags", "relay_countries", "language_tags", "kinds",
    "attributes", "max_limit", "auth_required", "admission",
]  # fmt: skip
objects = st.dictionaries(st.sampled_from(MEMBERS), json_values, max_size=4)


def parse(**members: Any) -> RelayInformation:
    return parse_document(json.dumps(members))


def read(body: bytes, charset: str | None = None) -> RelayInformation | None:
    try:
        return parse_document(document_text(body, charset))
    except NotADocumentError:
        return None


def test_a_whole_document_is_understood() -> None:
    found = parse(
        name=" wine ",
        description="a\nb",
        pubkey=KEY,
        self=KEY.upper(),
        contact="mailto:a@b.example",
        supported_nips=[42, 1, 11],
        software="https://relay.example",
        version="1.0",
        limitation={"max_limit": 500, "auth_required": False, "payment_required": True, "created_at_upper_limit": 900},
        fees={"admission": [{"amount": 1, "unit": "msats"}], "publication": []},
        payments_url="https://relay.example/pay",
        negentropy=1,
        tags=["sfw-only"],
        relay_countries=["ca", "US"],
        language_tags=["en", "en-419"],
        kinds=[1, 0, 1],
    )
    assert found == RelayInformation(
        name="wine",
        description="a\nb",
        pubkey=KEY,
        self_pubkey=KEY,
        contact="mailto:a@b.example",
        supported_nips=(1, 11, 42),
        software="https://relay.example",
        version="1.0",
        limitation=Limitation(max_limit=500, auth_required=False, payment_required=True, created_at_upper_limit=900),
        fees=("admission",),
        payments_url="https://relay.example/pay",
        negentropy=1,
        tags=("sfw-only",),
        countries=("CA", "US"),
        languages=("en", "en-419"),
        kinds=(0, 1),
    )


@pytest.mark.parametrize(
    ("given_nips", "numbers", "names"),
    [
        (11, (11,), ()),
        ("1", (1,), ()),
        (1.5, (), ()),
        (None, (), ()),
        ({"nip": 1}, (), ()),
        (["1", "11", "NIP-42", "5A", 99.0], (1, 11, 42, 99), ("5A",)),
        (["nip 05", "7d", "11a", "0", "C0", "c0", " 9 "], (5, 9), ("7D", "C0")),
        ([1, "invalid", 3, 4.5, True, 11, 11, None, -1, 10_000, 10**30, [1]], (1, 3, 11), ()),
    ],
)
def test_nips_have_numbers_or_names(given_nips: Any, numbers: tuple[int, ...], names: tuple[str, ...]) -> None:
    found = parse(supported_nips=given_nips)
    assert (found.supported_nips, found.named_nips) == (numbers, names)


@pytest.mark.parametrize(
    ("said", "key"),
    [
        (NPUB, KEY), (f"nostr:{NPUB}", KEY), (NPUB.upper(), KEY), (f" {KEY} ", KEY), ("unset", None), ("", None),
        ("~", None), (NPUB[:-1], None), (KEY[:-1], None), (7, None), ([KEY], None), ("nsec1" + "q" * 58, None),
    ],
)  # fmt: skip
def test_keys_are_hex_or_npub(said: object, key: str | None) -> None:
    assert parse(pubkey=said, self=said) == RelayInformation(pubkey=key, self_pubkey=key)


def test_limits_are_numbers_in_any_spelling_and_nothing_else() -> None:
    found = parse(
        limitation={
            "max_limit": "500",
            "max_subscriptions": 20.0,
            "max_message_length": 2**63,
            "max_subid_length": -1,
            "max_event_tags": True,
            "max_filters": 2.5,
            "auth_required": "false",
            "payment_required": 0,
            "restricted_writes": "perhaps",
        }
    )
    assert found.limitation == Limitation(
        max_limit=500, max_subscriptions=20, auth_required=False, payment_required=False
    )
    assert limits(found) == Limits(max_limit=500, max_subscriptions=20)


@pytest.mark.parametrize("nothing", [None, [], "", 0, "none"])
def test_what_should_be_an_object_and_is_none_says_nothing(nothing: object) -> None:
    assert parse(limitation=nothing, fees=nothing) == RelayInformation()


def test_a_limit_of_zero_is_none() -> None:
    assert limits(parse(limitation={"max_limit": 0, "max_subid_length": 64})) == Limits(max_subid_length=64)


def test_texts_hold_no_nul_and_no_half_of_a_pair_and_have_a_length() -> None:
    found = parse_document('{"name":"a\\u0000b\\ud83d","description":"%s","icon":7,"contact":[]}' % ("x" * 9000))
    assert found == RelayInformation(name="a\ufffdb\ufffd", description="x" * LONGEST_TEXT)


def test_lists_of_words_are_bounded() -> None:
    found = parse(tags=[f"{number}" for number in range(1000)] + [7], language_tags="en", attributes=["x" * 1000, "A"])
    assert (len(found.tags), found.languages, found.attributes) == (64, ("en",), ("A",))
    assert len(parse(supported_nips=list(range(9000))).supported_nips) == 256
    assert len(parse(kinds=list(range(-1, 70_000))).kinds) == 512


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "1", '"Please use a Nostr client to connect."', "Please use a Nostr client to connect.",
        "<!DOCTYPE html><html></html>", '{"name":"x","supp', '{"limitation":{"max_limit":NaN}}', "{}{}",
        '{"name":' * 1000, '{"name":' + "[" * 60_000, '{"name":' + "[" * 65 + "]" * 65 + "}",
        '{"a":' + "9" * 5000 + "}",
    ],
)  # fmt: skip
def test_what_is_no_document_is_said_without_being_repeated(text: str) -> None:
    with pytest.raises(NotADocumentError) as caught:
        parse_document(text)
    assert 0 < len(str(caught.value)) < 150


@pytest.mark.parametrize(
    ("body", "charset", "name"),
    [
        ('{"name":"é"}'.encode(), None, "é"),
        (codecs.BOM_UTF8 + '{"name":"é"}'.encode(), None, "é"),
        ('{"name":"é"}'.encode(), "ISO-8859-1", "é"),
        ('{"name":"é"}'.encode("latin-1"), " ISO-8859-1", "é"),
        ('{"name":"é"}'.encode("latin-1"), None, "\ufffd"),
        ('{"name":"é"}'.encode("latin-1"), "unicode_escape", "\ufffd"),
        ('{"name":"é"}'.encode("latin-1"), "punycode", "\ufffd"),
        ('{"name":"é"}'.encode("utf-16"), None, "é"),
        ('{"name":"é"}'.encode("utf-16-be"), "utf-8", "é"),
        ('{"name":"日"}'.encode("shift_jis"), "Shift_JIS", "日"),
    ],
)
def test_the_character_set_is_what_the_bytes_show_and_then_what_the_answer_names(
    body: bytes, charset: str | None, name: str
) -> None:
    assert parse_document(document_text(body, charset)).name == name


def test_the_hash_is_of_the_bytes_as_sent() -> None:
    assert content_hash(b"{}") == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
    assert content_hash(codecs.BOM_UTF8 + b"{}") != content_hash(b"{}")


@given(st.binary(max_size=300), st.sampled_from([None, "utf-8", "shift_jis", "gbk", "utf-7", "zip", "\x00"]))
def test_every_sequence_of_bytes_is_a_document_or_none(body: bytes, charset: str | None) -> None:
    read(body, charset)
    document_text(body, charset).encode()


@pytest.mark.slow
@given(objects, objects, objects)
def test_every_shape_of_a_member_leaves_a_document(top: dict[str, Any], inner: dict[str, Any], fees: Any) -> None:
    text = json.dumps(top | {"limitation": inner, "fees": fees})
    found = read(text.encode())
    assert found is not None
    for value in (found.name, found.description, found.contact, *found.tags, *found.languages):
        assert value is None or (value.encode() and "\x00" not in value)
    limits(found)


@given(objects)
def test_a_document_cut_off_anywhere_is_none(members: dict[str, Any]) -> None:
    text = json.dumps(members | {"name": "x"}).encode()
    for end in range(0, len(text), max(1, len(text) // 20)):
        assert read(text[:end]) is None


@pytest.mark.parametrize(
    "text",
    [
        "[" * 131_072,
        '{"a":' * 26_000,
        '"' * 131_072,
        '{"name":"' + "\\" * 131_000,
        '{"supported_nips":[' + "9," * 65_000 + "9]}",
        '{"supported_nips":["' + "0" * 131_000 + '"]}',
        '{"tags":[' + '"a",' * 32_000 + '"a"]}',
        '{"pubkey":"npub1' + "q" * 131_000 + '"}',
        "{" + ",".join(f'"{number}":{"9" * 4000}' for number in range(32)) + "}",
    ],
)
def test_the_largest_hostile_documents_are_read_in_one_go(text: str) -> None:
    """Each takes milliseconds; one that took time by the square of its length would run into the test's time-out."""
    for _ in range(5):
        read(text.encode())


def test_the_published_samples_are_told_apart(shared_data: Path) -> None:
    samples = json.loads((shared_data / "nip11_samples.json").read_text(encoding="utf-8"))["samples"]
    assert len(samples) > 20
    assert [(each["name"], read(each["body"].encode("utf-8", "surrogatepass")) is not None) for each in samples] == [
        (each["name"], each["ok"]) for each in samples
    ]


def test_documents_of_real_relays_are_understood(shared_data: Path) -> None:
    lines = (shared_data / "nip11-samples.jsonl").read_text(encoding="utf-8").splitlines()
    wild = [each["doc"] for each in map(json.loads, lines) if each["origin"] == "wild"]
    assert len(wild) > 60
    for document in wild:
        found = parse_document(json.dumps(document))
        assert found.name == document["name"].strip() or not document["name"]
        if isinstance(document["supported_nips"], list):
            assert found.supported_nips == tuple(sorted(set(document["supported_nips"])))
        for name, value in document.get("limitation", {}).items():
            assert name == "min_prefix" or getattr(found.limitation, name) == value
        if document.get("pubkey", "").startswith("npub"):
            assert found.pubkey is not None
