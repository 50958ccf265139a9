"""Public keys and ids as in NIP-19: the examples of the standard, what another program writes, and what is refused."""

from __future__ import annotations

import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from nostr_sdk import EventId, Kind, Nip19Event, Nip19Profile, PublicKey, RelayUrl

from schemas.nostr.nip19 import MAX_LENGTH, SecretKeyError, Wanted, hex_of, is_encoded

HEX = "7e7e9c42a91bfef19fa929e5fda1b72e0ebc1a4c1141673e2794234d86addf4e"
NPUB = "npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw038js35mp4dma8qzvjptg"
NSEC = "nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5"
NPROFILE = (
    "nprofile1qqsrhuxx8l9ex335q7he0f09aej04zpazpl0ne2cgukyawd24mayt8gpp4mhxue69uhhytnc9e3k7mgpz4mhxue69uhkg6nzv9ejuum"
    "pv34kytnrdaksjlyr9p"
)
RELAYS = st.lists(st.sampled_from(["wss://a.example", "wss://b.example/x"]), max_size=9)  # nostr-sdk: 1,023 characters
CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"


def refusal(text: str, wanted: Wanted) -> str:
    with pytest.raises(ValueError, match=r"it (is|must be) ") as caught:
        hex_of(text, wanted)
    return str(caught.value)


@pytest.mark.parametrize("text", [HEX, NPUB, f"nostr:{NPUB}", NPUB.upper(), f"NOSTR:{NPUB.upper()}"])
def test_the_public_key_of_the_standard(text: str) -> None:
    assert hex_of(text, Wanted.PUBLIC_KEY) == HEX


def test_the_profile_of_the_standard() -> None:
    known = "3bf0c63fcb93463407af97a5e5ee64fa883d107ef9e558472c4eb9aaaefa459d"
    assert hex_of(NPROFILE, Wanted.PUBLIC_KEY) == known


@given(st.binary(min_size=32, max_size=32), RELAYS)
def test_what_another_program_writes_is_read(value: bytes, relays: list[str]) -> None:
    event_id, urls = EventId.parse(value.hex()), [RelayUrl.parse(relay) for relay in relays]
    author = PublicKey.parse(HEX)
    for text in (
        event_id.to_bech32(),
        Nip19Event(event_id, relays=urls).to_bech32(),
        Nip19Event(event_id, author, Kind(1), urls).to_bech32(),
    ):
        assert hex_of(text, Wanted.EVENT_ID) == hex_of(f"nostr:{text}", Wanted.EVENT_ID) == value.hex()
        assert is_encoded(text)
    for text in (author.to_bech32(), Nip19Profile(author, urls).to_bech32()):
        assert hex_of(text, Wanted.PUBLIC_KEY) == HEX


@given(st.sampled_from([NPUB, NPROFILE]), st.data())
def test_a_wrong_character_is_noticed(text: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(text.index("1") + 1, len(text) - 1))
    other = data.draw(st.sampled_from(CHARSET))
    assume(other != text[place])
    damaged = text[:place] + other + text[place + 1 :]
    assert "a character is wrong, too many or missing" in refusal(damaged, Wanted.PUBLIC_KEY)


@given(st.text() | st.from_regex(re.compile(r"(nostr:)?n(ote|pub|event|profile)1[a-z0-9]*"), fullmatch=True))
def test_nothing_else_is_taken_and_no_refusal_repeats_it(text: str) -> None:
    for wanted in Wanted:
        said = refusal(text, wanted)
        assert len(text) < 20 or text not in said


@pytest.mark.parametrize(
    ("text", "wanted", "said"),
    [
        (NPUB, Wanted.EVENT_ID, "it is a public key (npub1…), and the id of an event is wanted: 64 lower-case hex"),
        (NPROFILE, Wanted.EVENT_ID, "it is a public key (nprofile1…)"),
        (EventId.parse(HEX).to_bech32(), Wanted.PUBLIC_KEY, "it is the id of an event (note1…), and a public key is"),
        ("naddr1qqqq", Wanted.EVENT_ID, "it is an address of replaceable events (naddr1…)"),
        (NPUB[:-1], Wanted.PUBLIC_KEY, "it is no whole npub1…"),
        (NPUB[:-1] + NPUB[-1].upper(), Wanted.PUBLIC_KEY, "it is no whole npub1…"),
        ("npub1", Wanted.PUBLIC_KEY, "it is no whole npub1…"),
        (f"npub1{'q' * MAX_LENGTH}", Wanted.PUBLIC_KEY, "it is no whole npub1…"),
        (HEX.upper(), Wanted.PUBLIC_KEY, "it must be 64 lower-case hex digits, npub1… or nprofile1…"),
        ("", Wanted.EVENT_ID, "it must be 64 lower-case hex digits, note1… or nevent1…"),
    ],
)
def test_what_is_wrong_is_said(text: str, wanted: Wanted, said: str) -> None:
    assert said in refusal(text, wanted)


@pytest.mark.parametrize("text", [NSEC, NSEC.upper(), f"nostr:{NSEC}", f" {NSEC}", NSEC[:-3], "ncryptsec1qqqqqq"])
@pytest.mark.parametrize("wanted", Wanted)
def test_a_secret_key_is_told_of_without_its_text(text: str, wanted: Wanted) -> None:
    with pytest.raises(SecretKeyError, match="it is a secret key") as caught:
        hex_of(text, wanted)
    assert "1vl0" not in str(caught.value).lower()
    assert is_encoded(text)
