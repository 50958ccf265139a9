"""What is derived from an event comes from the event itself, however long or odd its tags are."""

from __future__ import annotations

from hashlib import sha256

from schemas.nostr.event import Event
from sinks.rows import event_row
from sinks.tables import TABLES
from sinks.tables.projection import Derived, derive, picked

AUTHOR, OTHER = "aa" * 32, "bb" * 32
SELF = bytes.fromhex("01" * 32)
KEY = bytes.fromhex(AUTHOR)


def event(kind: int, tags: list[list[str]], content: str = "") -> Event:
    return Event("01" * 32, AUTHOR, 1000, kind, tags, content, "02" * 64)


def derived(made: Event) -> Derived:
    rows = [event_row(made, 0)]
    return derive(TABLES.projections, picked(TABLES.projections, rows))


def test_an_event_that_says_nothing_of_others_gives_no_row() -> None:
    for made in (
        event(1, [["e", OTHER], ["a", f"30023:{AUTHOR}:x"]]),
        event(30023, [["d", "x"], ["title", "on expirations"]]),
        event(1, [["t", "expiration"], ["expiration", "soon"], ["expiration", "5"]]),
    ):
        assert not any(derived(made).values())


def test_a_deletion_gives_a_row_for_each_target_and_no_limit_cuts_them() -> None:
    ids = [sha256(b"%d" % number).hexdigest() for number in range(5000)]
    made = derived(event(5, [["e", each] for each in [*ids, ids[0]]] + [["e"], ["e", "short"], []]))
    assert made["deletions_by_id"] == [(bytes.fromhex(each), 1000, SELF, KEY) for each in ids]


def test_only_addresses_of_the_author_and_of_kinds_that_have_some_are_targets() -> None:
    values = [f"30023:{AUTHOR}:a:b\n", f"000:{AUTHOR}:", f"1:{AUTHOR}:", f"30023:{OTHER}:x", f"30023:{AUTHOR}", "x:y:z"]
    made = derived(event(5, [["a", value] for value in values]))
    assert made["deletions_by_address"] == [
        (sha256(text.encode()).digest(), 1000, SELF) for text in (f"30023:{AUTHOR}:a:b\n", f"0:{AUTHOR}:")
    ]


def test_a_request_to_vanish_keeps_its_relays_in_their_one_spelling() -> None:
    tags = [
        ["relay", "WSS://Relay.Example:443/"],
        ["relay", "ALL_RELAYS"],
        ["relay", "no url"],
        ["relay"],
        ["relay", "\0"],
    ]
    made = derived(event(62, tags))
    assert made["vanish_requests"] == [(KEY, 1000, SELF, ["wss://relay.example", "ALL_RELAYS", "no url"])]


def test_an_expiration_is_the_first_one() -> None:
    assert derived(event(1, [["expiration", "5"], ["expiration", "6"]]))["expirations"] == [(1000, SELF, 5)]


def test_what_sql_cannot_look_up_in_an_event_with_nul_is_kept_beside_it() -> None:
    wrap = derived(event(1059, [["p", OTHER], ["p", OTHER.upper()], ["p"]], "\0"))
    assert wrap["nul_tags"] == [(1000, SELF, None, [bytes.fromhex(OTHER)])]
    article = derived(event(30023, [["p", OTHER], ["d", "x\0y"], ["d", "z"]]))
    assert article["nul_tags"] == [(1000, SELF, sha256(f"30023:{AUTHOR}:x\0y".encode()).digest(), [])]
    assert derived(event(1, [["expiration", "7"]], "\0"))["expirations"] == [(1000, SELF, 7)]
