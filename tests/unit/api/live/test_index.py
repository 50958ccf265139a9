"""The index finds exactly the subscriptions that a look at each of them finds."""

from __future__ import annotations

import random
from dataclasses import replace

from api.live.index import Condition, Index
from schemas.nostr.filters import Filter
from tests.unit.api.live.made import HEX, some_event, some_filter


def test_it_finds_what_a_look_at_every_filter_finds() -> None:
    rng = random.Random(1)
    filters = {number: [some_filter(rng) for _ in range(rng.randrange(4))] for number in range(300)}
    index: Index[int] = Index()
    conditions = {number: [Condition(number, each) for each in some] for number, some in filters.items()}
    for some in conditions.values():
        index.add(some)
    for number in range(0, 300, 3):
        index.remove(conditions[number])
        del filters[number]
    found = 0
    for _ in range(500):
        event = some_event(rng)
        wanted = {number for number, some in filters.items() if any(each.matches(event) for each in some)}
        owners = index.owners(event)
        assert len(owners) == len(set(owners))
        assert set(owners) == wanted
        assert index.has_owner(event) == bool(wanted)
        found += len(wanted)
    assert 1_000 < found < 50_000  # neither none nor all


def test_what_was_removed_leaves_nothing() -> None:
    rng = random.Random(3)
    index: Index[int] = Index()
    conditions = [Condition(0, some_filter(rng)) for _ in range(50)]
    index.add(conditions)
    index.remove(conditions)
    assert index.size == 0
    assert index.owners(some_event(rng)) == []


def test_a_value_that_is_there_twice_is_one() -> None:
    index: Index[int] = Index()
    conditions = [Condition(0, Filter(kinds=(1, 1, 2))), Condition(1, Filter(kinds=(1,)))]
    index.add(conditions)
    assert index.size == 4
    index.remove(conditions)
    assert index.size == 0


def test_a_filter_is_found_by_its_rarest_field() -> None:
    full = Filter(ids=(HEX[0],), authors=(HEX[1],), kinds=(1,), tags={"t": ("a", "b"), "p": ("a",)})
    assert Condition(0, full).field == "ids"
    assert Condition(0, replace(full, ids=None)).field == "p"
    assert Condition(0, replace(full, ids=None, tags={})).field == "authors"
    assert Condition(0, Filter(kinds=(1,), since=1)).field == "kinds"
