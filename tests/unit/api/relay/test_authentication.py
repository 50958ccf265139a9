"""An event proves a key to one connection of one relay, and nothing else does (NIP-42)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.relay.authentication import Login, own_authority, refusal
from schemas.nostr.event import Event
from schemas.nostr.signing import Draft
from tests.unit.schemas.strategies import SECRET, events

NOW_S = 1_790_000_000
CHALLENGE = "c" * 32
TAGS = [["relay", "wss://relay.example.com/"], ["challenge", CHALLENGE]]
OWN = "relay.example.com"


def proof(tags: list[list[str]] = TAGS, *, kind: int = 22_242, at_s: int = NOW_S) -> Event:
    return Draft(kind, tags, "").signed(SECRET, at_s)


def why_not(event: Event, authority: str | None = OWN) -> str | None:
    return refusal(event, CHALLENGE, authority, NOW_S)


def test_a_right_proof_is_taken() -> None:
    assert why_not(proof()) is None
    assert why_not(proof([*TAGS, ["client", "x"], [], ["relay"]])) is None


@pytest.mark.parametrize("later_s", [-600, 600])
def test_clocks_may_differ_by_ten_minutes(later_s: int) -> None:
    assert why_not(proof(at_s=NOW_S + later_s)) is None
    assert "created_at" in str(why_not(proof(at_s=NOW_S + later_s + (1 if later_s > 0 else -1))))


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (proof(kind=1), "invalid: kind"),
        (proof(TAGS[:1]), "invalid: the tag challenge"),
        (proof(TAGS[1:]), "invalid: the tag relay"),
        (proof([*TAGS, ["challenge", "d" * 32]]), "invalid: the tag challenge"),
        (proof([*TAGS, ["relay", "wss://other.example.com"]]), "invalid: the tag relay"),
        (proof([["relay", "wss://relay.example.com.evil.example"], TAGS[1]]), "invalid: the tag relay"),
        (proof([["relay", "wss://relay.example.com@evil.example"], TAGS[1]]), "invalid: the tag relay"),
        (proof([["relay", "relay.example.com"], TAGS[1]]), "invalid: the tag relay"),
        (proof()._replace(content="x"), "invalid: id"),
        (proof()._replace(pubkey="f" * 64), "invalid: id"),
        (proof()._replace(sig="0" * 128), "invalid: sig"),
        (proof()._replace(created_at=10**40), "invalid: created_at"),
    ],
)
def test_what_is_wrong_is_named(event: Event, reason: str) -> None:
    assert str(why_not(event)).startswith(reason)


@pytest.mark.parametrize(
    "url",
    ["WSS://Relay.Example.COM", "ws://relay.example.com:80/path", "https://relay.example.com:443", f" wss://{OWN}."],
)
def test_spellings_of_the_relay(url: str) -> None:
    assert why_not(proof([["relay", url], TAGS[1]])) is None


def test_a_relay_that_does_not_know_its_address_takes_nothing() -> None:
    assert str(why_not(proof(), None)).startswith("restricted: ")


@given(events())
def test_events_of_others_prove_nothing(event: Event) -> None:
    assert why_not(event) is not None


@given(st.text(), st.none() | st.just("https://relay.example.com"))
def test_any_host_can_be_said(host: str, public_url: str | None) -> None:
    assert isinstance(own_authority(public_url, host), str | None)


@pytest.mark.parametrize(
    ("public_url", "host", "authority"),
    [
        ("https://relay.example.com", "evil.example", "relay.example.com"),
        ("http://10.0.0.1:8000", "evil.example", "10.0.0.1:8000"),
        (None, "127.0.0.1:7777", "127.0.0.1:7777"),
        (None, "localhost:7777", "localhost:7777"),
        (None, "192.168.1.5", "192.168.1.5"),
        (None, "[::1]:7777", "[::1]:7777"),
        (None, "relay.example.com", None),
        (None, "8.8.8.8", None),
        (None, "", None),
        (None, "[", None),
        (None, "127.0.0.1:99999999", None),
    ],
)
def test_the_host_of_a_request_is_believed_of_near_addresses_only(
    public_url: str | None, host: str, authority: str | None
) -> None:
    """Another relay could have its clients sign for its own name, and say that name to us."""
    assert own_authority(public_url, host) == authority


def test_several_keys_up_to_a_bound() -> None:
    login = Login(CHALLENGE, OWN)
    for number in range(1, 17):
        assert login.take(Draft(22_242, TAGS, "").signed(number.to_bytes(32), NOW_S), NOW_S) is None
    assert len(login.keys) == 16
    assert str(login.take(Draft(22_242, TAGS, "").signed((17).to_bytes(32), NOW_S), NOW_S)).startswith("restricted: ")
    assert login.take(Draft(22_242, TAGS, "").signed((1).to_bytes(32), NOW_S), NOW_S) is None
    assert len(login.keys) == 16
