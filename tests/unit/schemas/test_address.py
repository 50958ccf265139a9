"""Addresses of events, as tags write them and as naddr (NIP-19): what another program writes, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nostr_sdk import Coordinate, Kind, Nip19Coordinate, PublicKey, RelayUrl

from schemas.nostr.address import MOST_BYTES, Address, parse_address
from schemas.nostr.event import Event
from schemas.nostr.facts import address_of
from schemas.nostr.kinds import EventClass, classify
from schemas.nostr.nip19 import read_address

KEY = "7e7e9c42a91bfef19fa929e5fda1b72e0ebc1a4c1141673e2794234d86addf4e"
KINDS = st.sampled_from([0, 3, 10_000, 10_002, 19_999, 30_000, 30_023, 39_999])


def naddr(kind: int, d: str, relays: list[str]) -> str:
    coordinate = Coordinate(Kind(kind), PublicKey.parse(KEY), d)
    return Nip19Coordinate(coordinate, [RelayUrl.parse(relay) for relay in relays]).to_bech32()


@given(KINDS, st.text())
def test_the_address_of_an_event_is_read(kind: int, d: str) -> None:
    event = Event("00" * 32, KEY, 1, kind, [["d", d], ["d", "second"]], "", "00" * 64)
    text = address_of(event)
    assert text is not None
    address = read_address(text)
    assert str(address) == text
    assert address == Address(kind, KEY, d if classify(kind) is EventClass.ADDRESSABLE else "")


@given(st.integers(30_000, 39_999), st.text(max_size=60), st.lists(st.just("wss://a.example"), max_size=3))
def test_what_another_program_writes_is_read(kind: int, d: str, relays: list[str]) -> None:
    text = naddr(kind, d, relays)
    assert read_address(text) == read_address(f"nostr:{text}") == read_address(text.upper()) == Address(kind, KEY, d)
    assert read_address(naddr(10_002, "", relays)) == Address(10_002, KEY, "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it must be kind:pubkey:d"),
        (f"30023:{KEY}", "it must be kind:pubkey:d"),
        (f"30023:{KEY.upper()}:d", "64 lower-case hex digits"),
        (f"+30023:{KEY}:d", "it must be kind:pubkey:d"),
        (f"٣٠٠٢٣:{KEY}:d", "it must be kind:pubkey:d"),
        (f"1:{KEY}:", "it has kind 1, whose events have no address"),
        (f"20000:{KEY}:d", "it has kind 20000"),
        (f"10002:{KEY}:d", "kind 10002 is replaceable: nothing may follow the last colon"),
        (f"30023:{KEY}:{'ä' * (MOST_BYTES // 2)}a", f"more than {MOST_BYTES} bytes"),
        (PublicKey.parse(KEY).to_bech32(), "it is a public key (npub1…), and an address is wanted"),
        (naddr(30_023, "d", [])[:-1], "it is no whole naddr1…"),
        ("naddr1qqqqqqqq", "it is no whole naddr1…"),
        (naddr(1, "", []), "it has kind 1"),
    ],
)
def test_what_is_wrong_is_said(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=r"^it (is|has|must be) ") as caught:
        read_address(text)
    assert said in str(caught.value)


@given(st.text() | st.from_regex(r"(nostr:)?naddr1[a-z0-9]*", fullmatch=True))
def test_anything_else_is_refused_without_repeating_it(text: str) -> None:
    for read in (read_address, parse_address):
        with pytest.raises(ValueError, match=r"^it (is|has|must be) ") as caught:
            read(text)
        assert len(text) < 20 or text not in str(caught.value)
