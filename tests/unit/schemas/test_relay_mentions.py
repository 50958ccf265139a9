"""Each place in which an event names relays, what is none, and what a stranger's event may cost."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from nostr_sdk import Coordinate, EventId, Kind, Nip19Coordinate, Nip19Event, Nip19Profile, PublicKey, RelayUrl

from schemas.nostr.event import Event
from schemas.nostr.relay_mentions import MOST_MENTIONS, mentions
from schemas.relay_urls.relay_url import MAX_URL_LENGTH, RelayUrlError, normalize

KEY = "7e7e9c42a91bfef19fa929e5fda1b72e0ebc1a4c1141673e2794234d86addf4e"
A, B = "wss://a.example", "wss://b.example/x"
NPROFILE = Nip19Profile(PublicKey.parse(KEY), [RelayUrl.parse(A), RelayUrl.parse(B)]).to_bech32()
NEVENT = Nip19Event(EventId.parse(KEY), PublicKey.parse(KEY), Kind(1), [RelayUrl.parse(A)]).to_bech32()
NADDR = Nip19Coordinate(Coordinate(Kind(30023), PublicKey.parse(KEY), "d"), [RelayUrl.parse(A)]).to_bech32()
NRELAY = "nrelay1qq8hwumn8ghj7cfwv4uxzmtsd3js0um3g3"  # no program in use writes them any more


def event(kind: int = 1, content: str = "", *tags: list[str]) -> Event:
    return Event(KEY, KEY, 1, kind, list(tags), content, KEY * 2)


def named(made: Event, *, allow_private: bool = False) -> list[tuple[str, str]]:
    """URLs and places."""
    return [(url.url, place) for url, _, place in mentions(made, allow_private=allow_private)]


@pytest.mark.parametrize(
    ("made", "found"),
    [
        (event(10002, "", ["r", A], ["r", B, "write"]), [(A, "10002 r"), (B, "10002 r")]),
        (event(3, '{"wss://a.example":{"read":true,"write":false},"x":1}'), [(A, "3 content")]),
        (event(2, f"{A}\n"), [(A, "2 content")]),
        *((event(kind, "", ["relay", A]), [(A, f"{kind} relay")]) for kind in (10050, 10007, 10012, 10102, 30002)),
        *((event(kind, "", ["relay", A]), [(A, f"{kind} relay")]) for kind in (22242, 62, 10019, 34550)),
        *((event(1, "", [name, KEY, A]), [(A, f"{name} hint")]) for name in ("e", "p", "a", "q", "E", "A", "P", "zap")),
        (event(9734, "", ["relays", A, B]), [(A, "9734 relays"), (B, "9734 relays")]),
        (event(10009, "", ["group", "id", A, "name"], ["r", B]), [(A, "10009 group"), (B, "10009 r")]),
        (event(30166, "", ["d", A]), [(A, "30166 d")]),
        (event(1066, "", ["r", A]), [(A, "1066 r")]),
        (event(1, f"try {A}, or ({B})."), [(A, "text"), (B, "text")]),
        (event(1, f"nostr:{NPROFILE} wrote"), [(A, "nprofile"), (B, "nprofile")]),
        (event(30023, f"see {NEVENT}!"), [(A, "nevent")]),
        (event(1, f"nostr:{NADDR}"), [(A, "naddr")]),
        (event(1, NRELAY), [(A, "nrelay")]),
        (event(1, A, ["r", A], ["r", A], ["e", KEY, A]), [(A, "1 r"), (A, "e hint"), (A, "text")]),
    ],
)
def test_each_place(made: Event, found: list[tuple[str, str]]) -> None:
    assert named(made) == found


@pytest.mark.parametrize(
    "made",
    [
        event(10006, f"not {A}", ["relay", A], ["p", KEY, A]),
        event(10166, "", ["d", A], ["frequency", "3600"]),
        event(1, "", ["d", A], ["e", A], ["p", KEY, "", A], ["proxy", A], [], [""], ["r"], ["relay"], ["relays"]),
        event(3, f"[{A!r}]"),
        event(3, "{" * 100_000),
        event(3, '{"\ud800":1}'),
        event(1, "nwss://a.example xwss://a.example wss://relay.bücher.example wss://relay.exam… wss://relay.exam..."),
        event(1, f"{NPROFILE[:-1]} {NPROFILE[:-1]}q x{NPROFILE} {NPROFILE.upper()} nevent1 nprofile1qqqqqqqq"),
        event(1, f"https://a.example {A.removeprefix('wss://')}"),
    ],
)
def test_what_is_no_recommendation_of_a_relay(made: Event) -> None:
    assert named(made) == []


def test_junk_of_real_events() -> None:
    junk = [
        "mention",
        "wss://@nos.lol",
        "ws://192.168.18.7:7777",
        "nostr-idb://cache-relay",
        "wss://relay.mostr.pub/%20",
    ]
    junk += [
        " wss://relay.otherstuff.fyi ",
        "\u2b24 wss://x.example",
        "ws://umbrel.local:4848",
        "WSS://Bevo.Nostr1.com/",
    ]
    junk += ["wss://filter.nostr.wine/npub1xyz?broadcast=true", "wss://a.b\x00c", "wss://\ud800.example", "", " "]
    found = mentions(event(1, "", *(["e", KEY, text] for text in junk)))
    assert {each.url.url: each.spelling for each in found} == {
        "wss://nos.lol": "wss://@nos.lol",
        "wss://relay.mostr.pub": "wss://relay.mostr.pub/%20",
        "wss://relay.otherstuff.fyi": "wss://relay.otherstuff.fyi",
        "wss://bevo.nostr1.com": "WSS://Bevo.Nostr1.com/",
        "wss://filter.nostr.wine/npub1xyz?broadcast=true": "wss://filter.nostr.wine/npub1xyz?broadcast=true",
    }


def test_urls_of_three_real_normalisers(shared_data: Path) -> None:
    for case in json.loads((shared_data / "relay_url_cases.json").read_bytes())["cases"]:
        try:
            expected = [normalize(case["input"]).url]
        except RelayUrlError:
            expected = []
        assert [url for url, _ in named(event(10002, "", ["r", case["input"]]))] == expected


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Wss://Relay.Example:444/Path?q=1#x", ["wss://relay.example:444/Path?q=1"]),
        ("WS://a.example", ["ws://a.example"]),
        ("[wss://a.example](wss://b.example/x)", [A, B]),
        ('"wss://a.example","wss://b.example/x"', [A, B]),
        ("wss://a.example,wss://b.example/x;", [A, B]),
        ("wss://a.example: wss://b.example/x?!", [A, B]),
        ("wss://a.example、wss://b.example/x。", [A, B]),
        ("wss://[2606:4700::1]:7777 wss://[zz]", ["wss://[2606:4700::1]:7777"]),
        ("wss://a.examplewss://b.example", []),
        ("wss://localhost wss://127.0.0.1 wss://${host} wss://relay.${x}", []),
    ],
)
def test_urls_in_texts(text: str, found: list[str]) -> None:
    assert [url for url, _ in named(event(1, text))] == found


@pytest.mark.parametrize("url", ["ws://192.168.1.2:7777", "ws://umbrel.local:4848", "ws://[fd00::1]"])
def test_private_addresses_are_found_where_they_are_allowed(url: str) -> None:
    made = event(10002, "", ["r", url])
    assert named(made) == []
    assert named(made, allow_private=True) == [(url, "10002 r")]
    assert named(made) == [], "what is remembered of one is not given to the other"


@pytest.mark.parametrize("host", ["169.254.169.254", "[fe80::1]", "[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]"])
def test_link_local_addresses_are_never_found(host: str) -> None:
    assert named(event(10002, f"ws://{host}", ["r", f"ws://{host}"]), allow_private=True) == []


HOSTILE = {
    "schemes": "wss://" * 33_000,
    "equal URLs": "wss://a.example " * 13_000,
    "different URLs": " ".join(f"wss://r{number}.example" for number in range(10_000)),
    "brackets": "wss://[" * 30_000,
    "other scripts": "wss://é" * 25_000,
    "one long URL": "wss://a.example/" + "x" * 200_000,
    "prefixes": "nprofile1" * 22_000,
    "one long profile": "nprofile1" + "q" * 200_000,
    "long profiles": ("nprofile1" + "q" * 4_000 + " ") * 50,
    "white space": " " * 200_000 + A,
    "objects": '{"":' * 50_000,
    "NUL": "wss://a.example\x00" * 12_000,
    "surrogates": "wss://a.example\ud800" * 12_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("kind", [1, 2, 3])
def test_hostile_texts(text: str, kind: int) -> None:
    found = mentions(event(kind, text))
    assert len(found) <= MOST_MENTIONS
    assert all(each.url.url.startswith("wss://") for each in found)


def test_hostile_tags() -> None:
    many = event(3, "", *(["p", KEY, f"wss://r{number}.example"] for number in range(2_000)))
    assert [url for url, _ in named(many)] == [f"wss://r{number}.example" for number in range(MOST_MENTIONS)]
    one = event(30311, "", ["relays", *(f"wss://r{number}.example" for number in range(2_000))])
    assert len(named(one)) == MOST_MENTIONS
    junk = event(1, "", *(["e", KEY, f"wss://{number}"] for number in range(2_000)), ["r", A])
    assert named(junk) == [], "what is no URL counts, too: it costs as much"
    long = event(1, "", *(["r", f"wss://a.example/{number:01900}"] for number in range(2_000)))
    assert len(named(long)) == 4
    too_long = event(1, "", ["r", A + "/" * MAX_URL_LENGTH], ["r", B])
    assert named(too_long) == [(B, "1 r")]


PIECES = [
    A,
    "wss://",
    "ws://",
    "WSS",
    "a.example",
    "/",
    ".",
    ",",
    " ",
    "\x00",
    "\ud800",
    "é",
    "[",
    "]",
    "{",
    '":1}',
    '{"',
]
PIECES += [NPROFILE, NEVENT, "nprofile1", "q", "1", "nostr:", "@", "%", "…", "..", "\u3002", "192.168.1.2", "x" * 3000]
texts = st.lists(st.sampled_from(PIECES) | st.text(st.characters(), max_size=3), max_size=8).map("".join)
names = st.sampled_from(["r", "relay", "relays", "e", "p", "group", "d", "zap", "x", ""])
tags = st.lists(st.builds(lambda name, items: [name, *items], names, st.lists(texts, max_size=4)) | st.just([]))


events = st.builds(
    lambda kind, content, given_tags: event(kind, content, *given_tags),
    st.sampled_from([1, 2, 3, 10002, 10006, 30166]) | st.integers(0, 2**70),
    texts,
    tags,
)


@given(made=events, allow_private=st.booleans())
@example(made=event(1, " ".join(f"wss://r{at}.example/{NEVENT}" for at in range(99))), allow_private=False)
def test_whatever_an_event_holds(*, made: Event, allow_private: bool) -> None:
    found = mentions(made, allow_private=allow_private)
    assert found == mentions(made, allow_private=allow_private)
    assert len(found) <= MOST_MENTIONS
    assert max(Counter((spelling, place) for _, spelling, place in found).values(), default=1) == 1
    for url, spelling, place in found:
        assert normalize(spelling, allow_private=allow_private) == url
        assert len(spelling) <= MAX_URL_LENGTH
        assert place.isascii()
        json.dumps([spelling, place]).encode()
        assert spelling.encode()
