"""What one relay sends decides what it is asked for itself, and never what others are."""

from __future__ import annotations

from producers.connector.known_filters import MOST_OWN_KINDS, KnownFilters, RelayKnownFilters, readable_kinds
from producers.relay_client.page import Seen
from schemas.nostr.filters import Filter

REGISTERED = {0, 1, 3, 7, 30_402, 30_311, 10_002, 39_701}


def give(relay: RelayKnownFilters, kinds: range, author: int = 1) -> None:
    relay.learn([Seen(1, f"{kind:064x}", kind, f"{author:064x}") for kind in kinds])


def test_invented_kinds_of_one_owner_are_asked_of_that_relay_alone() -> None:
    known_filters = KnownFilters()
    liar, honest = known_filters.of("liar.example"), known_filters.of("honest.example")
    give(liar, range(40_000, 40_240))
    give(known_filters.of("liar.example"), range(40_000, 40_240))
    assert not set(honest.kinds()) & set(range(40_000, 40_240))
    asked = readable_kinds(Filter(), liar, 250)
    assert set(asked) >= REGISTERED
    assert len(set(asked) & set(range(40_000, 40_240))) == MOST_OWN_KINDS


def test_what_relays_of_three_owners_gave_is_asked_of_all() -> None:
    known_filters = KnownFilters()
    for owner in ("a.example", "b.example"):
        give(known_filters.of(owner), range(40_000, 40_003), author=7)
    other = known_filters.of("other.example")
    assert 40_000 not in other.kinds()
    assert f"{7:064x}" not in other.authors()
    give(known_filters.of("c.example"), range(40_000, 40_002), author=7)
    assert [kind for kind in other.kinds() if kind >= 40_000] == [40_000, 40_001]
    assert other.authors() == (f"{7:064x}",)


def test_registered_kinds_stay_in_front_whatever_is_shared() -> None:
    known_filters = KnownFilters()
    for batch in range(40):
        for owner in range(3):
            give(known_filters.of(f"{owner}-{batch}.example"), range(40_000 + 32 * batch, 40_032 + 32 * batch))
    other = known_filters.of("other.example")
    assert set(readable_kinds(Filter(), other, 250)) >= REGISTERED


def test_a_relay_that_learns_nothing_new_keeps_its_kinds() -> None:
    relay = KnownFilters().of("relay.example")
    give(relay, range(40_000, 40_100))
    before = relay.kinds()
    give(relay, range(41_000, 41_100))
    assert relay.kinds() == before
