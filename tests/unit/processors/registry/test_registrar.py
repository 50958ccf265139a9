"""What is admitted, what waits, what is left alone, and that neither order nor restarts matter."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.registry.admission import EVICTED_MS, LAST_TIER
from processors.registry.registrar import Limits, Registrar
from processors.relay_keys import UnusableError
from schemas.records.relay import SameDocument
from schemas.records.relay_found import RelayFound
from schemas.relay_digest import registry_digest
from tests.unit.processors.registry.material import (
    DAY_MS,
    NOW_MS,
    PARTITIONS,
    URL,
    WIDE,
    Running,
    Topics,
    found,
    legacy,
    met,
    seed,
    told,
    wish,
)


def test_one_author_makes_a_candidate_and_two_a_relay() -> None:
    running = Running()
    running.take(found(URL, 1), found(URL, 1))
    assert (set(running.relays), set(running.candidates)) == (set(), {URL})
    running.take(found(URL, 2, at_ms=NOW_MS + 5))
    assert (set(running.relays), set(running.candidates)) == ({URL}, set())
    record = running.relays[URL]
    assert (record.admitted_at_ms, record.first_seen_ms, record.sources) == (NOW_MS, NOW_MS, ("event",))


def test_an_api_and_a_seed_need_no_second_voice() -> None:
    running = Running()
    other = "wss://other.example"
    running.take(found(URL, source="api"), told(seed(other)))
    assert set(running.relays) == {URL, other}


def test_what_is_told_again_is_not_written_again() -> None:
    running = Running()
    running.take(found(URL, 1, 2))
    before = running.topics.writes
    running.take(found(URL, 2), found(URL, 1), now_ms=NOW_MS + 1000)
    assert running.topics.writes == before


def test_a_change_that_is_not_known_to_be_durable_is_written_again() -> None:
    registrar = Registrar(PARTITIONS, WIDE)
    registrar.own(range(PARTITIONS))
    first = registrar.found(found(URL, 1, 2), NOW_MS)
    assert registrar.found(found(URL, 1), NOW_MS + 1) == first, "its offset is committed beside a durable write"
    Topics().take(first, registrar)
    assert registrar.found(found(URL, 1), NOW_MS + 2) == []


def test_a_denied_relay_is_told_to_connectors_at_once_and_returns_with_a_newer_command() -> None:
    running = Running()
    running.take(found(URL, 1, 2), told(wish(action="deny", at_ms=NOW_MS + 1)), found(URL, 3))
    record = running.relays[URL]
    assert (record.allowed, record.state, record.sources) == (False, "denied", ("event",))
    running.take(told(wish(action="add", lane="priority", at_ms=NOW_MS + 2)), now_ms=NOW_MS + 2)
    record = running.relays[URL]
    assert (record.allowed, record.state, record.lane) == (True, "candidate", "priority")
    assert [change.state for change in record.history] == ["denied", "candidate"]


def test_an_unknown_relay_can_be_denied() -> None:
    running = Running()
    running.take(told(wish(action="deny")))
    assert not running.relays[URL].allowed


@pytest.mark.parametrize("target", ["relay.site.example", "site.example", "example"])
def test_a_denied_host_takes_all_beneath_it(target: str) -> None:
    other = "wss://relay.another.test"
    running = Running()
    running.take(found(URL, 1, 2), found(other, 1, 2), told(seed(f"{URL}/path")))
    running.take(told(wish(target, "deny", at_ms=NOW_MS + 1)))
    assert {url: record.allowed for url, record in running.relays.items()} == {
        URL: False,
        f"{URL}/path": False,
        other: True,
    }
    running.take(told(wish(URL, "add", at_ms=NOW_MS + 2)))
    assert running.relays[URL].allowed, "a newer command about the relay itself"
    running.registrar.unwanted(wish(target, "deny").key())
    running.settle()
    assert running.relays[f"{URL}/path"].allowed


def test_a_removed_relay_leaves_and_events_do_not_bring_it_back() -> None:
    running = Running()
    running.take(found(URL, 1, 2), told(wish(action="remove", at_ms=NOW_MS + 1)), found(URL, 3, 4, 5))
    assert (set(running.relays), set(running.candidates)) == (set(), {URL})
    running.take(told(wish(at_ms=NOW_MS + 2)))
    assert (set(running.relays), set(running.candidates)) == ({URL}, set())


def test_a_person_outweighs_a_seed_list() -> None:
    running = Running(commands=[wish(action="remove", at_ms=1)])
    running.take(told(seed()))
    assert URL not in running.relays


def test_a_command_that_is_taken_back_leaves_what_else_is_known() -> None:
    running = Running()
    running.take(told(wish(action="deny")), told(wish("wss://b.example", "deny")), found("wss://b.example", 1, 2))
    for url in (URL, "wss://b.example"):
        running.registrar.unwanted(wish(url).key())
    running.settle()
    assert set(running.relays) == {"wss://b.example"}
    assert running.relays["wss://b.example"].allowed


def test_records_of_before_stay_are_rewritten_and_can_be_removed() -> None:
    topics = Topics()
    topics.relays[URL] = legacy(lane="priority", allow_private=True)
    running = Running(topics=topics)
    record = running.relays[URL]
    assert (record.sources, record.lane, record.allow_private) == (("operator",), "priority", True)
    running.take(told(wish(action="remove")))
    assert not running.relays


def test_caps_delay_and_the_next_days_let_in_the_others() -> None:
    running = Running(Limits(2, 1000, 100, 1000))
    urls = [f"wss://r{number}.site.example" for number in range(5)]
    for number, url in enumerate(urls):
        running.take(found(url, 1, 2, at_ms=NOW_MS + number))
    assert set(running.relays) == set(urls[:2])
    running.take(told(seed("wss://seed.site.example")))
    assert "wss://seed.site.example" in running.relays, "no cap holds back a seed"
    restarted = Running(Limits(2, 1000, 100, 1000), running.topics)
    assert len(restarted.relays) == 3, "the day is known after a restart"
    restarted.settle(NOW_MS + DAY_MS)
    assert set(urls[:4]) <= set(restarted.relays)
    restarted.settle(NOW_MS + 2 * DAY_MS)
    assert set(urls) <= set(restarted.relays)
    assert not restarted.candidates


def test_a_cap_that_is_reached_takes_nothing_back() -> None:
    running = Running(Limits(1, 1000, 100, 1000))
    running.take(found(URL, 1, 2), found(URL, 3), met(URL, "confirmed"))
    assert running.relays[URL].state == "confirmed"


def test_a_cap_counts_all_domains_of_a_partition_too() -> None:
    running = Running(Limits(10, 1, 100, 1000))
    running.take(*[found(f"wss://relay.site{number}.example", 1, 2) for number in range(20)])
    assert len(running.relays) <= PARTITIONS
    for day in range(1, 21):
        running.settle(NOW_MS + day * DAY_MS)
    assert len(running.relays) == 20


def test_the_silent_are_evicted_after_the_last_tier_and_have_a_try_later() -> None:
    running = Running()
    running.take(found(URL, 1, 2), told(seed("wss://seed.example")))
    for url in (URL, "wss://seed.example"):
        running.take(met(url, "silent", tries=LAST_TIER))
    assert set(running.relays) == {URL, "wss://seed.example"}
    assert running.relays[URL].state == "silent"
    for url in (URL, "wss://seed.example"):
        running.take(met(url, "silent", tries=LAST_TIER + 1, at_ms=NOW_MS + 1))
    assert (set(running.relays), set(running.candidates)) == ({"wss://seed.example"}, {URL})
    running.take(found(URL, 3, 4))
    assert URL not in running.relays
    running.settle(NOW_MS + EVICTED_MS + DAY_MS)
    assert URL in running.relays
    running.take(met(URL, "confirmed", at_ms=NOW_MS + EVICTED_MS + DAY_MS))
    assert running.relays[URL].state == "confirmed"


def test_twins_and_paths_are_duplicates_while_the_other_is_confirmed() -> None:
    plain, path, named = "ws://relay.site.example", f"{URL}/chat", f"{URL}/inbox"
    running = Running()
    running.take(*[found(url, 1, 2) for url in (URL, plain, path)], found(named, 1, 2), told(seed(named)))
    assert {record.duplicate_of for record in running.relays.values()} == {None}
    running.take(met(URL, "confirmed"))
    assert {url: record.duplicate_of for url, record in running.relays.items()} == {
        URL: None,
        plain: URL,
        path: URL,
        named: None,
    }
    running.take(met(URL, "silent", tries=1, at_ms=NOW_MS + 1))
    assert {record.duplicate_of for record in running.relays.values()} == {None}


def alike(url: str, other: str | None, at_ms: int = NOW_MS) -> RelayFound:
    """What probes say of the documents of two URLs."""
    return RelayFound(url=url, first_seen_ms=at_ms, same_document=SameDocument(url=other, at_ms=at_ms))


def test_a_url_with_the_document_of_a_preferred_one_of_its_host_is_a_duplicate_until_it_is_not() -> None:
    path, port, named, foreign = f"{URL}/a", f"{URL}:4443", f"{URL}/inbox", "wss://else.example/long"
    others = (path, port, named, foreign)
    running = Running()
    running.take(*[found(url, source="api") for url in (URL, *others)], told(seed(named)))
    running.take(*[alike(url, URL) for url in others], alike(URL, path))
    assert {record.duplicate_of for record in running.relays.values()} == {None}
    running.take(met(URL, "confirmed"), met(path, "confirmed"), alike(foreign, URL))
    assert {url: record.duplicate_of for url, record in running.relays.items() if record.duplicate_of} == {
        path: URL,
        port: URL,
    }
    running.take(alike(path, None, NOW_MS + 1), alike(path, URL))
    assert running.relays[path].duplicate_of is None
    running.take(met(URL, "silent", tries=1, at_ms=NOW_MS + 1))
    assert {record.duplicate_of for record in running.relays.values()} == {None}
    with pytest.raises(UnusableError, match="unknown"):
        running.take(alike("wss://new.example", URL))


def test_a_late_write_of_a_predecessor_is_merged_and_written_again() -> None:
    topics = Topics()
    old = Running(topics=topics)
    new = Running(topics=topics)
    new.take(found(URL, 1, 2))
    late = old.registrar.found(found(URL, 3, at_ms=NOW_MS - 9), NOW_MS)
    topics.take(late, new.registrar)
    new.settle()
    assert set(topics.candidates) == set()
    assert len(topics.relays[URL].authors) == 3
    assert topics.relays[URL].first_seen_ms == NOW_MS - 9
    topics.take([write._replace(topic="relays", value=None) for write in late], new.registrar)
    new.settle()
    assert URL in topics.relays, "a late tombstone is undone"


def test_what_another_process_writes_is_known_when_its_partitions_come() -> None:
    topics = Topics()
    old, new = Running(topics=topics), Registrar(PARTITIONS, WIDE)
    topics.take(old.registrar.found(found(URL, 1), NOW_MS), old.registrar, new)
    topics.take(old.registrar.found(found(URL, 2), NOW_MS), old.registrar, new)
    topics.take(old.registrar.found(told(wish(action="remove")), NOW_MS), old.registrar, new)
    new.wanted(wish(action="remove"))
    new.own(range(PARTITIONS))
    topics.take(new.due(NOW_MS), new)
    assert (set(topics.relays), set(topics.candidates)) == (set(), {URL})
    assert len(topics.candidates[URL].authors) == 2
    assert new.due(NOW_MS) == []
    with pytest.raises(UnusableError, match="misplaced"):
        Registrar(PARTITIONS, WIDE).found(found(URL, 1), NOW_MS)


def test_candidates_are_bounded_by_domain_and_in_all() -> None:
    running = Running(Limits(10, 1000, 5, 20))
    running.take(*[found(f"wss://r{number}.site.example", 1, at_ms=NOW_MS + number) for number in range(50)])
    assert set(running.candidates) == {f"wss://r{number}.site.example" for number in range(5)}
    assert running.topics.writes == 5, "what goes first is never written"
    running.take(*[found(f"wss://site{number}.example", 1, at_ms=NOW_MS - number) for number in range(500)])
    assert len(running.candidates) <= 20 * PARTITIONS
    assert len(running.registrar.book) == len(running.candidates)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (found("wss://RELAY.site.example", 1), "not_normalised"),
        (found("nothing", 1), "not_normalised"),
        (found("wss://10.0.0.1", 1, 2), "private"),
        (found("wss://relay.local", 1, 2), "private"),
        (met(URL, "confirmed"), "unknown"),
        (found(URL, source=None), "unknown"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_reason(bad: RelayFound, reason: str) -> None:
    with pytest.raises(UnusableError) as refused:
        Running().take(bad)
    assert refused.value.reason == reason


def test_private_relays_are_found_where_that_is_allowed() -> None:
    running = Running(Limits(10, 1000, 100, 1000, allow_private=True))
    running.take(found("ws://127.0.0.1:7777", 1, 2), found(URL, 1, 2))
    assert {url: record.allow_private for url, record in running.relays.items()} == {
        "ws://127.0.0.1:7777": True,
        URL: False,
    }


URLS = [URL, f"{URL}/path", "ws://relay.site.example", "wss://b.site.example", "wss://other.example"]
news = st.one_of(
    st.builds(
        lambda url, who, at_ms: found(url, who, at_ms=NOW_MS + at_ms),
        st.sampled_from(URLS),
        st.integers(1, 3),
        st.integers(0, 50),
    ),
    st.builds(
        lambda target, action, lane, at_ms: told(wish(target, action, lane=lane, at_ms=NOW_MS + at_ms)),
        st.sampled_from([*URLS, "site.example"]),
        st.sampled_from(["add", "deny", "remove"]),
        st.sampled_from(["regular", "priority"]),
        st.integers(0, 50),
    ).filter(lambda each: each.command is not None and ("://" in each.url or each.command.action == "deny")),
    st.builds(lambda url: told(seed(url)), st.sampled_from(URLS)),
    st.builds(lambda url: found(url, source="api"), st.sampled_from(URLS)),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(news, max_size=25), st.randoms(use_true_random=False), st.integers(0, 24))
def test_in_any_order_and_after_restarts_the_registry_is_the_same(
    findings: list[RelayFound], order: random.Random, cut: int
) -> None:
    """Caps of one a day drain; the second run reads the commands first and is restarted in between."""
    limits = Limits(1, 2, 100, 1000)
    one = Running(limits)
    one.take(*findings)
    shuffled = order.sample(findings, len(findings))
    commands = [each.command for each in findings if each.command is not None]
    other = Running(limits, commands=commands)
    other.take(*shuffled[:cut])
    other = Running(limits, other.topics, commands)
    other.take(*shuffled[max(0, cut - 5) :])
    for running in (one, other):
        for day in range(1, 8):
            running.settle(NOW_MS + day * DAY_MS)
    assert registry_digest(one.topics.known()) == registry_digest(other.topics.known())
    assert set(one.relays) == set(other.relays)
    assert not set(one.relays) & set(one.candidates)
