"""Demo events are valid, repeatable, varied, and no relay has a reason to drop one of them."""

from __future__ import annotations

import statistics
from collections import Counter
from functools import partial
from itertools import islice
from random import Random

import pytest

from deploy.demo.events import (
    DEFAULT_SPAN_S,
    EXPIRY_S,
    LIVE_SCENES,
    SCENE_EVENTS,
    generate,
    live,
    scene_events,
    stored,
)
from deploy.demo.offer import Offer, spread
from deploy.demo.scene import Signed
from schemas.nostr.event import Event, parse_event
from schemas.nostr.event_id import IdForm
from schemas.nostr.facts import facts
from schemas.nostr.judge import Policy, judge
from schemas.nostr.kinds import EventClass, classify
from schemas.reasons import Verdict

BASE_S = 1_800_000_000
COUNT = 12 * SCENE_EVENTS


@pytest.fixture(scope="module")
def events() -> list[Signed]:
    return generate(COUNT, seed=7, base_time_s=BASE_S, workers=1)


@pytest.fixture(scope="module")
def parsed(events: list[Signed]) -> list[Event]:
    return [parse_event(event.wire) for event in events]


def test_every_event_is_accepted(events: list[Signed]) -> None:
    verdicts = Counter(judge(event.wire, Policy()).verdict for event in events)
    assert verdicts == {Verdict.ACCEPTED: COUNT}
    assert len({event.id for event in events}) == COUNT


def test_the_same_seed_gives_the_same_bytes_from_any_number_of_processes(events: list[Signed]) -> None:
    prefix = SCENE_EVENTS + 7
    assert generate(prefix, seed=7, base_time_s=BASE_S, workers=2) == events[:prefix]
    assert list(stored(prefix, seed=7, base_time_s=BASE_S, span_s=DEFAULT_SPAN_S)) == events[:prefix]
    assert generate(1, seed=8, base_time_s=BASE_S)[0].id != events[0].id
    assert generate(1, seed=7, base_time_s=BASE_S + 1)[0].id != events[0].id


def test_no_event_replaces_deletes_or_outlives_another(parsed: list[Event]) -> None:
    ids = {event.id for event in parsed}
    addresses: Counter[object] = Counter()
    for event in parsed:
        known = facts(event, IdForm.NIP01, 0)
        if "address" in known:
            addresses[known["address"]] += 1
        assert classify(event.kind) is not EventClass.EPHEMERAL
        assert event.kind != 62
        if event.kind == 5:
            assert not ids & {tag[1] for tag in event.tags if tag[0] == "e"}
            assert all("never-written" in tag[1] for tag in event.tags if tag[0] == "a")
        assert BASE_S - DEFAULT_SPAN_S < event.created_at <= BASE_S
        assert int(str(known.get("expiration", BASE_S * 2))) > BASE_S
    assert max(addresses.values()) == 1


def test_what_archivers_stumble_over_is_among_them(events: list[Signed], parsed: list[Event]) -> None:
    assert {0, 1, 3, 4, 5, 6, 7, 1059, 1063, 9735, 10002, 30023, 30078} <= {event.kind for event in parsed}
    contents = "".join(event.content for event in parsed)
    for character in '\x00\x7f\u2028\U0001f680\u200d\n\\"\u4f60':
        assert character in contents, ascii(character)
    tags = [tag for event in parsed for tag in event.tags]
    assert {"e", "p", "t", "a", "d", "r", "expiration", "-", "nonce"} <= {tag[0] for tag in tags}
    assert ["t"] in tags
    sizes = [len(event.wire) for event in events]
    assert 600 < statistics.median(sizes) < 900
    assert max(sizes) > 20_000


def test_live_events_carry_the_time_they_are_asked_for() -> None:
    now_s = BASE_S
    stream = live(seed=7, clock=lambda: now_s)
    first = parse_event(next(stream).wire)
    now_s += 10
    second = parse_event(next(stream).wire)
    assert (first.created_at, second.created_at) == (BASE_S, BASE_S + 10)


def test_live_events_of_a_second_run_replace_none_of_the_first() -> None:
    addresses: Counter[object] = Counter()
    for began_s in (BASE_S, BASE_S + 2):
        for event in islice(live(seed=7, clock=partial(int, began_s)), SCENE_EVENTS):
            known = facts(parse_event(event.wire), IdForm.NIP01, 0)
            if "address" in known:
                addresses[known["address"]] += 1
    assert len(addresses) > 8
    assert max(addresses.values()) == 1


def test_what_an_author_says_twice_within_a_second_is_one_event() -> None:
    # A scene in which an author reposts the same event twice, 28 events apart.
    scene = scene_events(LIVE_SCENES + 6, seed=1289114269, expires_s=BASE_S + EXPIRY_S, clock=lambda _: BASE_S)
    assert len({event.id for event in scene}) == SCENE_EVENTS


@pytest.mark.parametrize(("relays", "copies"), [(1, 1.0), (3, 2.4), (4, 2.4), (3, 3.0)])
def test_events_are_dealt_to_as_many_relays_as_asked(events: list[Signed], relays: int, copies: float) -> None:
    hands = spread(events, relays, copies, Random(1))
    held = Counter(event.id for hand in hands for event in hand)
    assert held.keys() == {event.id for event in events}
    assert max(held.values()) <= relays
    assert sum(held.values()) / COUNT == pytest.approx(copies, abs=0.05)
    assert all(len(hand) == len({event.id for event in hand}) for hand in hands)


def test_refused_copies_are_not_offered() -> None:
    offer = Offer(["ws://a.example", "ws://b.example"])
    offer.add("11" * 32, "ws://a.example")
    offer.add("11" * 32, "ws://b.example")
    offer.refuse("22" * 32, "ws://a.example", "blocked: no")
    report = offer.report()
    assert (report["events"], report["pairs"], report["refused"]) == (1, 2, 1)
    assert report["refusals"] == [{"id": "22" * 32, "relay": "ws://a.example", "reason": "blocked: no"}]
