"""When relays are probed, whatever relays there are, however long they take, and over restarts."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.settings.monitoring import ProberSettings
from producers.prober.probed_relays import probed_target
from producers.prober.schedule import UNKNOWN, Schedule
from producers.prober.timing import SPREAD, Known, wait_ms
from schemas.records.relay import RETRY_TIERS_S, RelayRecord, Report
from schemas.relay_urls.relay_url import normalize
from tests.unit.producers.prober.scheduling import START_MS, STEP_MS, Simulated, outcome, relay

HOUR_MS = 3_600_000
MINUTE_MS = 60_000
EVERY_MINUTE = ProberSettings(interval_s=60, full_interval_s=240)
FAIR = settings(max_examples=60, deadline=None)

hosts = st.sampled_from(["a.example", "b.example", "c.example", "d.example", f"{'a' * 56}.onion", f"{'b' * 56}.onion"])
urls = st.lists(
    st.tuples(hosts, st.integers(0, 3)).map(lambda each: f"ws://{each[0]}/{each[1]}"), max_size=20, unique=True
)


@FAIR
@given(urls, st.integers(1, 4), st.integers(1, 2), st.integers(1, 20))
def test_no_more_at_once_than_allowed_one_of_a_host_and_every_relay_has_its_turn(
    found: list[str], at_once: int, overlay: int, longest: int
) -> None:
    prober = EVERY_MINUTE.model_copy(update={"at_once": at_once, "at_once_overlay": overlay})
    simulated = Simulated(
        prober,
        # However many relays never work and take longest: they are as many as take all places again and again.
        works=lambda url, _: url.endswith("/0"),
        takes_ms=lambda url: STEP_MS if url.endswith("/0") else longest * STEP_MS,
    )
    targets = [relay(url) for url in found]
    simulated.put(targets)
    # One after the other, they would have had two turns each.
    simulated.run(2 * (len(found) * longest * STEP_MS + MINUTE_MS))
    assert simulated.most["clearnet"] <= at_once
    assert simulated.most["tor"] <= overlay
    assert all(simulated.most[target.url.host] <= 1 for target in targets)
    assert {url for url, begun in simulated.begun.items() if len(begun) > 1} == {each.url.url for each in targets}


@FAIR
@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=30, unique=True))
def test_relays_that_work_are_probed_each_interval_and_wholly_each_full_one(names: list[int]) -> None:
    simulated = Simulated(EVERY_MINUTE)
    targets = [relay(f"wss://r{name}.example") for name in names]
    simulated.put(targets)
    simulated.run(20 * MINUTE_MS)
    for target in targets:
        gaps = simulated.gaps_ms(target.url.url)
        assert len(gaps) >= 19
        assert all((1 - SPREAD) * MINUTE_MS <= gap <= MINUTE_MS + STEP_MS for gap in gaps)
        full = [at_ms for at_ms, full in simulated.begun[target.url.url] if full]
        assert full[0] == START_MS
        assert all(2 * MINUTE_MS < after - before <= 4 * MINUTE_MS + STEP_MS for before, after in pairwise(full))


def test_relays_that_were_probed_together_are_not_for_long() -> None:
    simulated = Simulated(ProberSettings(at_once=1_000))
    simulated.put([relay(f"wss://r{number}.example") for number in range(300)])
    simulated.run(3 * HOUR_MS)
    second = sorted(begun[1][0] for begun in simulated.begun.values())
    assert second[-1] - second[0] > SPREAD * HOUR_MS * 0.9
    assert max(second.count(at_ms) for at_ms in second) < 15, "300 within six minutes"


@pytest.mark.slow
def test_a_silent_relay_is_tried_more_and_more_seldom_and_never_more_often_than_one_that_works() -> None:
    simulated = Simulated(ProberSettings(), works=lambda _url, _at_ms: False)
    simulated.put([target := relay("wss://gone.example")])
    simulated.run(30 * 24 * HOUR_MS)
    tiers = [max(3_600.0, tier) for tier in RETRY_TIERS_S]
    expected = [*tiers, tiers[-1], tiers[-1]]
    gaps = simulated.gaps_ms(target.url.url)
    assert len(gaps) >= len(tiers)
    for gap, tier_s in zip(gaps, expected, strict=False):
        assert (1 - SPREAD) * tier_s * 1000 <= gap <= tier_s * 1000 + STEP_MS


def test_one_that_a_connector_speaks_with_again_is_probed_as_one_that_works() -> None:
    known = Known(START_MS, START_MS, 7, "broken")
    report = Report(state="confirmed", at_ms=START_MS + 1)
    waits = [wait_ms(relay("wss://a.example", report=each).record, known, ProberSettings()) for each in (None, report)]
    assert waits[0] > 6 * 24 * HOUR_MS
    assert waits[1] <= HOUR_MS


def test_of_more_than_can_be_probed_those_that_work_come_first_and_known_silent_ones_last() -> None:
    simulated = Simulated(ProberSettings(at_once=1))
    silent = Report(state="silent", tries=5, at_ms=START_MS)
    simulated.put(relay(f"wss://silent{number}.example", report=silent) for number in range(20))
    simulated.put([target := relay("wss://works.example")])
    simulated.run(2 * STEP_MS)
    assert next(iter(simulated.begun)) == target.url.url


def test_a_silent_relay_has_its_turn_among_more_that_work_than_can_be_probed() -> None:
    prober = EVERY_MINUTE.model_copy(update={"at_once": 1})
    simulated = Simulated(prober, works=lambda url, _: "silent" not in url)
    simulated.put(relay(f"wss://works{number}.example") for number in range(120))
    simulated.put([target := relay("wss://silent.example")])
    simulated.run(60 * MINUTE_MS)
    assert len(simulated.begun[target.url.url]) >= 3
    (first, second, *_) = simulated.gaps_ms(target.url.url)
    assert first <= 3 * MINUTE_MS, "due after one, and late by no more than that and a turn of all"
    assert second <= 23 * MINUTE_MS, "due after ten"


@FAIR
@given(urls, st.lists(st.integers(1, 100), min_size=1, max_size=4))
def test_a_restart_repeats_at_most_one_probe_of_a_relay(found: list[str], stops: list[int]) -> None:
    simulated = Simulated(EVERY_MINUTE, takes_ms=lambda _: 3 * STEP_MS)
    targets = [relay(url) for url in found]
    simulated.put(targets)
    lost, at_ms = dict.fromkeys((each.url.url for each in targets), 0), 0
    for stop in stops:
        at_ms += stop * STEP_MS
        simulated.run(at_ms)
        for url in lost:
            known, begun = simulated.health.get(url), simulated.begun[url]
            lost[url] += bool(begun) and (known is None or known.probed_at_ms < begun[-1][0])
        simulated.restart(targets)
    simulated.run(at_ms + MINUTE_MS)
    for url, repeated in lost.items():
        early = sum(gap < (1 - SPREAD) * MINUTE_MS for gap in simulated.gaps_ms(url))
        assert early <= repeated, "only what was under way is done again"


def test_what_was_seen_here_holds_while_the_topic_is_behind() -> None:
    schedule = Schedule(EVERY_MINUTE)
    target = relay("wss://a.example")
    url = target.url.url
    schedule.put(target, START_MS)
    (due,) = schedule.take(START_MS)
    schedule.probed(target, outcome(due, START_MS, "works"))
    schedule.ended(url)
    schedule.heard(url, Known(START_MS - HOUR_MS, None, 3, "broken"))
    assert schedule.take(START_MS + 10_000) == []
    schedule.heard(url, Known(START_MS + 20_000, START_MS, 0, "works"))
    assert schedule.take(START_MS + MINUTE_MS) == [], "another prober was there"
    assert len(schedule.take(START_MS + 20_000 + MINUTE_MS)) == 1


def test_what_is_told_of_it() -> None:
    schedule = Schedule(ProberSettings(at_once=1))
    for name in "abc":
        schedule.put(relay(f"wss://{name}.example"), START_MS)
    (due,) = schedule.take(START_MS + 500)
    assert (len(schedule), schedule.under_way) == (3, 1)
    assert schedule.standing(START_MS + 700) == ({UNKNOWN: 3}, 2, 700)
    schedule.probed(due.target, outcome(due, START_MS + 500, "works"))
    schedule.ended(due.target.url.url)
    assert schedule.standing(START_MS + 700) == ({UNKNOWN: 2, "works": 1}, 2, 700)
    assert schedule.keep(lambda host: host == "a.example") == ["wss://b.example", "wss://c.example"]
    assert len(schedule) == 1


def test_one_that_is_removed_while_it_is_probed_comes_back_after_it() -> None:
    schedule = Schedule(EVERY_MINUTE)
    target, other = relay("wss://a.example/1"), relay("wss://a.example/2")
    schedule.put(target, START_MS)
    schedule.take(START_MS)
    schedule.put(other, START_MS)
    schedule.remove(target.url.url)
    schedule.put(target, START_MS)
    assert schedule.take(START_MS) == [], "its host is busy"
    schedule.ended(target.url.url)
    (first,) = schedule.take(START_MS)
    schedule.ended(first.target.url.url)
    schedule.remove(first.target.url.url)
    (second,) = schedule.take(START_MS)
    assert {first.target.url.url, second.target.url.url} == {target.url.url, other.url.url}


def test_one_that_is_removed_while_it_waits_stands_in_the_way_of_none_of_its_host() -> None:
    schedule = Schedule(EVERY_MINUTE)
    targets = [relay(f"wss://a.example/{number}") for number in range(4)]
    for target in targets:
        schedule.put(target, START_MS)
    (first,) = schedule.take(START_MS)
    rest = [target for target in targets if target != first.target]
    schedule.ended(first.target.url.url)
    for target in (first.target, *rest[:2]):
        schedule.remove(target.url.url)
    (last,) = schedule.take(START_MS)
    assert last.target == rest[2]


PUBLIC, PRIVATE = "wss://relay.example.com", "ws://127.0.0.1:7777"


@pytest.mark.parametrize(
    ("url", "changes", "allow_private", "probed"),
    [
        (PUBLIC, {}, False, True),
        (PUBLIC, {"state": "silent"}, False, True),
        (PUBLIC, {"state": "refused"}, False, True),
        (PUBLIC, {"lane": "priority"}, False, True),
        (PUBLIC, {"lane": "ignored"}, False, False),
        (PUBLIC, {"allowed": False}, False, False),
        (PUBLIC, {"duplicate_of": "wss://other.example"}, False, False),
        (PRIVATE, {"allow_private": True}, True, True),
        (PRIVATE, {"allow_private": True}, False, False),
        (PRIVATE, {}, True, False),
    ],
)
def test_which_relays_are_probed(url: str, changes: dict[str, object], allow_private: bool, probed: bool) -> None:
    found = normalize(url, allow_private=True)
    record = RelayRecord.model_validate(
        {"url": url, "network": found.network, "source": "seed", "updated_at_ms": 0} | changes
    )
    assert (probed_target(record, allow_private=allow_private) is not None) == probed


def test_a_name_that_leads_to_a_private_address_is_not_followed_unless_both_allow_it() -> None:
    record = RelayRecord(url=PUBLIC, network="clearnet", source="operator", allow_private=True, updated_at_ms=0)
    found = [probed_target(record, allow_private=allowed) for allowed in (False, True)]
    assert [each is not None and each.record.allow_private for each in found] == [False, True]
