"""What an erasure covers: NIP-09, NIP-59, NIP-62 and operators, whatever the order in which rules arrive."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.nostr import deletion
from schemas.nostr.deletion import MAX_VANISH_RELAYS
from schemas.nostr.event import Event, event_from_object
from schemas.partition import event_partition
from schemas.records.erasure import Cause, Erasure, Erasures
from schemas.records.erasure_requests import requested

ME, OTHER, THIRD = ("a" * 64, "b" * 64, "c" * 64)
OWN_URLS = frozenset({"wss://archive.example"})
ID = "1" * 64


def event(
    kind: int = 1, *, pubkey: str = ME, at: int = 100, tags: list[list[str]] | None = None, id_: str = ID
) -> Event:
    return Event(id_, pubkey, at, kind, tags or [], "", "0" * 128)


def index(*rules: Erasure) -> Erasures:
    made = Erasures()
    for rule in rules:
        made.add(rule)
    return made


def asked(*events: Event) -> Erasures:
    return index(*(rule for each in events for rule in requested(each, OWN_URLS, 5)))


def by(cause: Cause, *, until: int = 100, pubkey: str = ME) -> Erasure:
    return Erasure(pubkey=pubkey, until_s=until, cause=cause, erased_at_ms=1)


@pytest.mark.parametrize(
    ("rule", "key"),
    [
        (Erasure(id=ID, cause=Cause.LAW, erased_at_ms=1), ID),
        (Erasure(id=ID, pubkey=ME, cause=Cause.DELETION, erased_at_ms=1), f"{ID}:{ME}"),
        (
            Erasure(address=f"30023:{ME}:a:é", until_s=7, cause=Cause.DELETION, erased_at_ms=1),
            f"address:30023:{ME}:a:é:7",
        ),
        (by(Cause.OPERATOR), f"pubkey:{ME}:100"),
        (by(Cause.LAW), f"pubkey:{ME}:100"),
        (by(Cause.VANISH), f"vanish:{ME}:100"),
    ],
)
def test_the_key_is_the_whole_target_and_its_first_id_or_key_names_the_partition(rule: Erasure, key: str) -> None:
    assert rule.key() == key.encode()
    assert rule.partition(16) == event_partition(ME if rule.id is None else ID, 16)
    assert Erasure.decode(rule.encode()) == rule
    # Rules of different keys must not need each other: what replaces one under compaction covers the same.
    assert index(rule).has(rule)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"pubkey": ME},
        {"until_s": 1},
        {"address": f"30023:{ME}:x"},
        {"id": ID, "until_s": 1},
        {"id": ID, "pubkey": ME, "cause": "law"},
        {"id": ID, "address": f"30023:{ME}:x", "until_s": 1, "cause": "deletion"},
        {"pubkey": ME, "until_s": 1, "cause": "deletion"},
        {"pubkey": ME, "until_s": 1, "cause": "expiration"},
        {"pubkey": ME, "until_s": -1},
        {"pubkey": ME, "until_s": 2**40},
        {"address": f"030023:{ME}:x", "until_s": 1, "cause": "deletion"},
        {"address": f"30023:{ME}:x", "until_s": 1, "cause": "operator"},
    ],
)
def test_what_names_no_target_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"id|cause|until_s|address"):
        Erasure(**({"cause": "operator", "erased_at_ms": 1} | fields))


def test_an_id_is_erased_whatever_the_event_and_without_it() -> None:
    rules = index(Erasure(id=ID, cause=Cause.LAW, erased_at_ms=1))
    assert rules.covers_id(bytes.fromhex(ID)) is Cause.LAW
    assert rules.covers_id(bytes.fromhex(OTHER)) is None
    assert [rules.covers(event(kind)) for kind in (1, 5, 62, 1059, 30023)] == [Cause.LAW] * 5
    assert rules.covers(event(id_=OTHER)) is None


@pytest.mark.parametrize("cause", [Cause.OPERATOR, Cause.LAW])
def test_an_operator_erases_everything_of_an_author_up_to_a_time(cause: Cause) -> None:
    rules = index(by(cause))
    assert [rules.covers(event(kind)) for kind in (1, 5, 62, 1059)] == [cause] * 4
    assert rules.covers(event(at=101)) is None
    assert rules.covers(event(at=-5)) is cause
    assert rules.covers(event(pubkey=OTHER, at=-5)) is None
    assert rules.covers(event(1059, pubkey=OTHER, tags=[["p", ME]])) is None


def test_vanishing_spares_its_requests_and_takes_gift_wraps_to_the_author() -> None:
    rules = asked(event(62, tags=[["relay", "ALL_RELAYS"]]))
    assert [rules.covers(event(kind)) for kind in (1, 5, 1059)] == [Cause.VANISH] * 3
    assert rules.covers(event(62)) is None
    assert rules.covers(event(1, at=101)) is None
    wrap = event(1059, pubkey=OTHER, tags=[["p", "not a key"], ["p"], ["p", THIRD], ["p", ME]])
    assert rules.covers(wrap) is Cause.VANISH
    assert rules.covers(wrap._replace(created_at=101)) is None
    assert rules.covers(wrap._replace(kind=1)) is None
    assert rules.covers_id(bytes.fromhex(ID)) is None


@pytest.mark.parametrize(
    ("relays", "bound"),
    [
        (["ALL_RELAYS"], True),
        (["all_relays"], False),
        (["wss://other.example"], False),
        (["wss://other.example", "WSS://Archive.example:443/"], True),
        (["not a url"], False),
        ([], False),
    ],
)
def test_a_request_to_vanish_binds_whom_it_names(relays: list[str], bound: bool) -> None:
    rules = requested(event(62, tags=[["relay", url] for url in relays]), OWN_URLS, 5)
    assert [rule.key() for rule in rules] == ([f"vanish:{ME}:100".encode()] if bound else [])


def vanish(*relays: str) -> Event:
    return event(62, tags=[["relay", each] for each in relays])


class Counted(list[list[str]]):
    """Tags that count how many of them were looked at."""

    seen = 0

    def __iter__(self) -> Iterator[list[str]]:
        for tag in super().__iter__():
            self.seen += 1
            yield tag


def test_of_a_request_to_vanish_a_bounded_number_of_relays_counts_each_once_up_to_the_one_that_binds() -> None:
    others = [f"wss://{number}.example" for number in range(3 * MAX_VANISH_RELAYS)]
    own = "WSS://Archive.Example/"
    for named, bound, looked_at in (
        (others, False, len(others)),
        ([*others[:5], own, *others], True, 6),
        ([others[0]] * 1000 + [own], True, 1001),
        (["ALL_RELAYS", *others], True, 1),
        ([*others, "ALL_RELAYS"], True, len(others) + 1),
        ([*others[: MAX_VANISH_RELAYS - 1], own], True, MAX_VANISH_RELAYS),
        ([*others[:MAX_VANISH_RELAYS], own], False, MAX_VANISH_RELAYS + 1),
    ):
        request = vanish(*named)
        tags = Counted(request.tags)
        assert deletion.binds(request._replace(tags=tags), OWN_URLS) == bound
        assert tags.seen == looked_at
        # What the sink stores, and the view asks, leads to the same.
        relays = deletion.vanish_relays(request)
        assert bool({"ALL_RELAYS", *OWN_URLS}.intersection(relays)) == bound
        values = set(named) - {"ALL_RELAYS"}
        assert len(relays) == min(len(values), MAX_VANISH_RELAYS) + ("ALL_RELAYS" in named)


def test_a_deletion_takes_the_askers_own_events_only() -> None:
    rules = asked(event(5, id_=OTHER, tags=[["e", ID], ["e", "short"], ["e"]]))
    assert rules.covers(event()) is Cause.DELETION
    assert rules.covers(event(pubkey=OTHER)) is None
    assert [rules.covers(event(kind)) for kind in (5, 62)] == [None, None]
    assert rules.covers_id(bytes.fromhex(ID)) is None
    assert rules.covers(event(1059, pubkey=OTHER, tags=[["p", ME]])) is Cause.DELETION
    assert rules.covers(event(1, pubkey=OTHER, tags=[["p", ME]])) is None


def test_a_deleted_address_takes_the_versions_up_to_the_request() -> None:
    rules = asked(
        event(5, id_=OTHER, tags=[["a", f"30023:{ME}:x:\x00y"], ["a", f"00003:{ME}:"], ["a", f"30023:{OTHER}:x"]])
    )
    version = event(30023, tags=[["d", "x:\x00y"]])
    assert rules.covers(version) is Cause.DELETION
    assert rules.covers(version._replace(created_at=101)) is None
    assert rules.covers(version._replace(pubkey=OTHER)) is None
    assert rules.covers(event(30023, tags=[["d", "x"]])) is None
    assert rules.covers(event(30023, pubkey=OTHER, tags=[["d", "x"]])) is None
    assert rules.covers(event(3)) is Cause.DELETION
    assert rules.covers(event(30023, tags=[["d", "\ud800"]])) is None


def test_more_targets_than_facts_state_are_all_asked_for() -> None:
    ids = [f"{number:064x}" for number in range(2_500)]
    rules = requested(event(5, tags=[["e", each] for each in [*ids, *ids]]), OWN_URLS, 5)
    assert [rule.id for rule in rules] == ids
    assert {(rule.pubkey, rule.cause, rule.request, rule.erased_at_ms) for rule in rules} == {
        (ME, Cause.DELETION, ID, 5)
    }


def test_other_kinds_ask_for_nothing() -> None:
    tags = [["e", ID], ["a", f"30023:{ME}:x"], ["relay", "ALL_RELAYS"]]
    assert [rule for kind in (1, 6, 1059, 30023) for rule in requested(event(kind, tags=tags), OWN_URLS, 5)] == []


KEYS, IDS, TIMES = st.sampled_from([ME, OTHER]), st.sampled_from([ID, "2" * 64]), st.integers(98, 102)
ADDRESSES = st.builds("{}:{}:{}".format, st.sampled_from([30023, 10002]), KEYS, st.sampled_from(["", "x"]))
RULES = st.one_of(
    st.builds(Erasure, id=IDS, cause=st.sampled_from(Cause), erased_at_ms=st.just(1)),
    st.builds(Erasure, id=IDS, pubkey=KEYS, cause=st.just(Cause.DELETION), erased_at_ms=st.just(1)),
    st.builds(Erasure, address=ADDRESSES, until_s=TIMES, cause=st.just(Cause.DELETION), erased_at_ms=st.just(1)),
    st.builds(by, st.sampled_from([Cause.OPERATOR, Cause.LAW, Cause.VANISH]), until=TIMES, pubkey=KEYS),
)
EVENTS = [
    event(kind, pubkey=pubkey, at=at, tags=tags, id_=event_id)
    for kind in (1, 5, 62, 1059, 10002, 30023)
    for pubkey in (ME, OTHER)
    for at in (99, 101)
    for tags in ([], [["p", ME]], [["d", "x"]])
    for event_id in (ID, "3" * 64)
]


def covered(rules: Erasures) -> list[bool]:
    return [rules.covers(each) is not None for each in EVENTS]


@pytest.mark.slow
@given(st.lists(RULES, max_size=6), st.randoms(use_true_random=False))
def test_what_is_covered_does_not_depend_on_the_order_or_on_compaction(rules: list[Erasure], random: Any) -> None:
    expected = covered(index(*rules))
    shuffled = random.sample(rules, len(rules))
    assert covered(index(*shuffled, *shuffled)) == expected
    compacted = {rule.key(): rule for rule in shuffled}  # what the topic keeps: the newest of each key
    assert covered(index(*compacted.values())) == expected
    # Each rule covers by itself: the whole is their union, and nothing else.
    assert expected == [any(row) for row in zip(*map(covered, map(index, rules)), strict=True)] or not rules


@given(st.lists(RULES, max_size=5), RULES)
def test_a_rule_that_is_had_covers_nothing_more(rules: list[Erasure], more: Erasure) -> None:
    before = index(*rules)
    had = before.has(more)
    expected, size = covered(before), len(before)
    before.add(more)
    assert before.has(more)
    if had:
        assert (covered(before), len(before)) == (expected, size)


SCENES = [
    "delete_by_e",
    "delete_by_a",
    "delete_a_deletion",
    "giftwrap_deleted_by_recipient",
    "vanish_all",
    "vanish_other_relay",
]


@pytest.mark.parametrize("scene", SCENES)
def test_the_shared_scenes(shared_data: Path, scene: str) -> None:
    told = json.loads((shared_data / "semantics_synthetic.json").read_bytes())[scene]
    events = [event_from_object(each) for each in told["events"]]
    rules = asked(*events)
    assert {each.id for each in events if rules.covers(each)} == set(told["deleted"])
    assert {each.id for each in events if not rules.covers(each)} == set(told["not_deleted"])
