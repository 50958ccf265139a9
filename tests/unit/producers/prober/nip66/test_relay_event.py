"""The event of a relay says what was seen, and of the relay's own words only what it alone can know."""

from __future__ import annotations

import json
from typing import Any

import pytest

from producers.prober.nip66.facts import LARGEST_CONTENT, Facts, after
from producers.prober.nip66.reachable import is_online, is_public
from producers.prober.nip66.relay_event import RELAY_KIND, address_of, relay_event
from schemas.nostr.event import encode_event
from schemas.records.probe import Checks, GeoCheck, Nip11Check, Observed, OpenCheck, ReadCheck, SslCheck, WriteCheck
from tests.unit.producers.prober.nip66.records import FULL, OPEN, READ, full, record, tags_of

DOCUMENT = {
    "name": "An example",
    "supported_nips": [1, 11, 45, "7D"],
    "tags": ["Bitcoin", "not a topic!"],
    "attributes": ["NoSpam"],
    "language_tags": ["en-US", "fi", "*"],
    "kinds": [1, 7],
    "limitation": {"auth_required": True, "payment_required": True, "min_pow_difficulty": 20},
}
TEXT = json.dumps(DOCUMENT)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("wss://relay.example.com", "wss://relay.example.com/"),
        ("wss://relay.example.com:444", "wss://relay.example.com:444/"),
        ("ws://[2001:db8::1]", "ws://[2001:db8::1]/"),
        ("wss://relay.example.com/inbox", "wss://relay.example.com/inbox"),
        ("wss://relay.example.com/?key=1", "wss://relay.example.com/?key=1"),
    ],
)
def test_the_address_has_a_slash_for_an_empty_path(url: str, address: str) -> None:
    assert address_of(url) == address
    assert tags_of(url=url)["d"] == [address]


@pytest.mark.parametrize(
    ("verdict", "online"),
    [("works", True), ("refused_by_policy", True), ("refuses_us", False), ("not_nostr", False), ("broken", False)],
)
def test_only_a_relay_that_was_reached_is_online(verdict: str, online: bool) -> None:
    assert is_online(record(verdict=verdict)) is online


@pytest.mark.parametrize(
    ("url", "address", "public"),
    [
        ("wss://relay.example.com", "93.184.216.34", True),
        ("wss://relay.example.com", None, True),
        ("ws://" + "a" * 55 + "d.onion", None, True),
        ("wss://relay.example.com", "10.0.0.7", False),
        ("wss://relay.example.com", "::ffff:10.0.0.7", False),
        ("ws://127.0.0.1:7777", "127.0.0.1", False),
        ("ws://printer.local", None, False),
    ],
)
def test_a_relay_of_a_private_network_is_not_public(url: str, address: str | None, public: bool) -> None:
    checks = Checks(open=OpenCheck(ok=True, address=address))
    assert is_public(record(url, checks=checks)) is public


def test_times_are_those_of_checks_that_succeeded() -> None:
    found = tags_of(
        read=ReadCheck(ok=True, took_ms=0), write=WriteCheck(ok=False, took_ms=None, accepted=False), open=OPEN
    )
    assert (found["rtt-open"], found["rtt-read"], found.get("rtt-write")) == (["120"], ["0"], None)


def test_nips_are_those_of_the_document_put_right_by_what_was_seen() -> None:
    assert tags_of(TEXT)["N"] == ["1", "11", "45"]
    seen = Observed(counts=False, reconciles=True, auth_required=True, hints=None)
    nip11 = Nip11Check(ok=True, document="0" * 64)
    assert tags_of(TEXT, observed=seen, nip11=nip11)["N"] == ["1", "11", "42", "77"]
    assert tags_of(None)["N"] == ["1"]


def write(*, accepted: bool | None, cause: str | None = None) -> WriteCheck:
    return WriteCheck.model_validate({"ok": bool(accepted), "accepted": accepted, "cause": cause})


def read(cause: str) -> ReadCheck:
    return ReadCheck.model_validate({"ok": True, "ended_by": "CLOSED", "cause": cause})


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        # Its document says auth, payment and pow; none of it was seen.
        ({}, None),
        ({"observed": Observed(auth_required=False)}, ["!auth"]),
        ({"observed": Observed(auth_required=True)}, ["auth"]),
        ({"read": read("payment")}, ["payment"]),
        ({"write": write(accepted=True)}, ["!payment", "!writes"]),
        ({"write": write(accepted=True), "read": read("payment")}, ["payment", "!writes"]),
        ({"write": write(accepted=False, cause="pow")}, ["pow"]),
        ({"write": write(accepted=False, cause="payment")}, ["payment", "writes"]),
        (
            {"write": write(accepted=False, cause="auth"), "observed": Observed(auth_required=False)},
            ["!auth", "writes"],
        ),
        ({"write": write(accepted=False, cause="rate_limited")}, None),
        # Not sent, since the document says that it would be refused.
        ({"write": write(accepted=None, cause="payment")}, None),
    ],
)
def test_what_is_required_is_only_what_was_seen(seen: dict[str, Any], expected: list[str] | None) -> None:
    assert tags_of(TEXT, **seen).get("R") == expected


def test_the_geohash_is_no_finer_than_its_source() -> None:
    assert tags_of()["g"] == ["ud9", "ud", "u"]
    assert "g" not in tags_of(geo=GeoCheck(ok=True, country="FI"))


def test_each_namespace_of_labels_is_named_once() -> None:
    found = tags_of(TEXT)
    assert found["l"] == [
        *("en/ISO-639-1", "fi/ISO-639-1", "FI/ISO-3166-1", "Helsinki/nip66.label.city", "Europe/Helsinki/IANA-tz"),
        *("64500/IANA-asn", "Example hosting/IANA-asnOrg"),
    ]
    assert found["L"] == [
        *("ISO-639-1", "ISO-3166-1", "nip66.label.city", "IANA-tz", "IANA-asn", "IANA-asnOrg"),
    ]


def test_what_the_relay_alone_can_say() -> None:
    found = tags_of(TEXT)
    assert (found["k"], found["t"], found["W"]) == (["1", "7"], ["bitcoin"], ["NoSpam"])
    assert not {"p", "s"} & found.keys()


def test_an_invalid_certificate_is_said_and_a_missing_one_is_not() -> None:
    assert tags_of(ssl=SslCheck(ok=False, problem="expired", valid_until_s=5))["ssl"] == ["!valid"]
    assert "ssl" not in tags_of(ssl=SslCheck(ok=False, problem="no_certificate"))
    assert "ssl" not in tags_of(ssl=SslCheck(ok=False, error="no answer"))


@pytest.mark.parametrize(
    ("text", "content"),
    [
        (TEXT, TEXT),
        (None, ""),
        ("<html>", ""),
        ("[]", ""),
        (json.dumps({"description": "x" * LARGEST_CONTENT}), ""),
        (json.dumps({"description": "é" * (LARGEST_CONTENT // 2)}, ensure_ascii=False), ""),
    ],
)
def test_the_content_is_the_document_or_nothing(text: str | None, content: str) -> None:
    found = full()
    assert relay_event(found, after(Facts(), found, text)).content == content


def test_an_event_is_bounded_whatever_the_relay_says() -> None:
    words = [f"w{number}{'x' * 90}" for number in range(160)]
    hostile: dict[str, list[Any]] = dict.fromkeys(("tags", "attributes", "language_tags"), words)
    hostile |= {"supported_nips": list(range(1, 3000)), "kinds": list(range(3000))}
    for name, values in hostile.items():
        text = json.dumps({name: values})
        found = full()
        event = relay_event(found, after(Facts(), found, text)).signed(b"\7" * 32, 1_790_000_000)
        assert event.kind == RELAY_KIND
        assert len(event.tags) < 200
        assert len(encode_event(event)) < 60_000


def test_a_short_probe_keeps_what_the_full_one_found() -> None:
    first = full(observed=Observed(counts=True), at_s=1_790_000_000)
    facts = after(Facts(), first, TEXT)
    later = record(at_s=1_790_003_600, checks=Checks(open=OpenCheck(ok=True, took_ms=7), read=READ))
    found = after(facts, later, None)
    assert (found.checks.geo, found.observed.counts, found.text) == (FULL.geo, True, TEXT)
    assert found.checks.open == OpenCheck(ok=True, took_ms=7)
    old = after(facts, record(at_s=1_790_000_000 + 25 * 3600), None)
    assert (old.checks.geo, old.text) == (None, "")
