"""Latencies, limits, honesty, claims and duplicates, each beside a plain computation or as examples."""

from __future__ import annotations

from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from processors.assess import latency
from processors.assess.claims import credible, merged, quorum
from processors.assess.duplicates import primary
from processors.assess.honesty import honesty
from processors.assess.limits import by_facts, learnt
from schemas.latency_buckets import bucket, percentile_ms
from schemas.records.coverage import Copies, Coverage, Fact, FilterCoverage, Gap, GapReason
from schemas.records.probe import Checks, Observed, OpenCheck, ReadCheck
from schemas.records.relay_health import MOST_LATENCIES, MOST_MONITORS, Claim, Honesty, Latency, Limits

ERROR = 2**0.25
"""By which a percentile may be wrong, as `schemas.latency_buckets` states."""


@given(st.lists(st.integers(1, 600_000), min_size=1, max_size=200), st.sampled_from([0.01, 0.5, 0.9, 0.99, 1.0]))
def test_percentiles_of_buckets_are_as_near_as_stated(took_ms: list[int], share: float) -> None:
    latencies: tuple[Latency, ...] = ()
    for number, each in enumerate(took_ms):
        checks = Checks(open=OpenCheck(ok=True, took_ms=each), read=ReadCheck(ok=False, took_ms=each))
        latencies = latency.add(latencies, 20_000 + number // 9, checks)
    plain = sorted(took_ms)[ceil(share * len(took_ms)) - 1]
    found = percentile_ms([each.open for each in latencies], share)
    assert found is not None
    assert plain / ERROR <= found * 1.000_001
    assert found <= plain * ERROR * 1.000_001
    assert percentile_ms([each.read for each in latencies], share) is None


def test_latencies_of_old_days_go_and_any_time_has_a_bucket() -> None:
    checks = Checks(open=OpenCheck(ok=True, took_ms=0))
    latencies: tuple[Latency, ...] = ()
    for day in range(100):
        latencies = latency.add(latencies, day, checks)
    assert [each.day for each in latencies] == list(range(100 - MOST_LATENCIES, 100))
    assert latencies[-1].open == ((0, 1),)
    assert [bucket(ms) for ms in (0, 1, 2, 3, 4, 1000)] == [0, 0, 2, 3, 4, 19]
    assert bucket(10**9) == 40
    assert latency.add((), 1, Checks()) == ()


def fact(name: str, value: float | str) -> Fact:
    return Fact(name=name, value=value, evidence="", at_s=1)


def test_what_was_met_is_learnt_and_what_is_no_limit_is_not() -> None:
    met = by_facts([fact("page_events", 100), fact("subscriptions", 3.0), fact("auth", "closed")])
    assert met == Limits(max_limit=100, max_subscriptions=3)
    for value in ("100", 0, -1, float("inf"), 2**31):
        assert by_facts([fact("page_events", value)]) == Limits()
    advertised = Limits(max_limit=50)
    assert learnt(met, Observed(largest_page=500), advertised) == met
    assert learnt(Limits(), Observed(largest_page=500), advertised) == Limits(max_limit=500)
    assert learnt(Limits(), Observed(largest_page=50), advertised) == Limits()
    assert learnt(Limits(), Observed(largest_page=500), Limits()) == Limits()


def test_gaps_are_counted_by_what_they_say_of_the_relay() -> None:
    def gaps(*reasons: GapReason) -> FilterCoverage:
        return FilterCoverage(filter="f", gaps=[Gap(since=1, until=2, reason=reason) for reason in reasons])

    sets = [
        gaps(GapReason.DISAGREEMENT, GapReason.NO_EOSE, GapReason.DISAGREEMENT),
        gaps(GapReason.FILTER_IGNORED, GapReason.WITHHELD, GapReason.DISAGREEMENT),
    ]
    coverage = Coverage(relay="wss://a", sets=sets, copies=Copies(received=7, repeated=2, forged=1), updated_at_ms=1)
    assert honesty(coverage) == Honesty(copies=7, repeated=2, forged=1, disagreements=3, filters_ignored=1, withheld=1)


def claim(monitor: int, at_s: int, rtt_open_ms: int | None = None) -> Claim:
    return Claim(monitor=f"{monitor:064x}", at_s=at_s, rtt_open_ms=rtt_open_ms)


claims = st.lists(st.builds(claim, st.integers(0, 9), st.integers(0, 99), st.none() | st.integers(0, 3)), max_size=30)


@given(claims)
def test_the_newest_claim_of_each_monitor_stays_however_often_it_comes(said: list[Claim]) -> None:
    newest = {monitor: max(c.at_s for c in said if c.monitor == monitor) for monitor in {c.monitor for c in said}}
    kept = merged((), said)
    assert {each.monitor: each.at_s for each in kept} == newest
    assert merged(merged((), said[::2]), said[1::2]) == kept == merged(kept, said)
    assert [each.at_s for each in kept] == sorted(newest.values())
    for hours, now_s in ((1, 3600), (1, 3650)):
        assert quorum(kept, now_s=now_s, hours=hours) == sum(at_s >= now_s - 3600 for at_s in newest.values())


def test_made_up_monitors_take_free_places_only_and_none_speaks_from_the_future() -> None:
    week_s = 7 * 86_400
    known = merged((), [claim(number, 1000) for number in range(MOST_MONITORS - 1)])
    flooded = merged(known, [claim(number, 2000) for number in range(100, 200)])
    assert len(flooded) == MOST_MONITORS
    assert set(known) <= set(flooded)
    assert merged(flooded, [claim(3, 3000, 80)])[-1] == claim(3, 3000, 80)
    later = merged(flooded, [claim(300, 1000 + week_s)])
    assert claim(300, 1000 + week_s) in later
    assert len(later) == MOST_MONITORS
    assert credible([claim(1, 2000), claim(2, 1000)], 1000) == [claim(2, 1000)]


def test_of_urls_that_give_one_document_the_root_and_then_the_shortest_is_preferred() -> None:
    urls = ["wss://a.example", "wss://a.example/x", "wss://a.example/xy", "wss://a.example:4443", "ws://a.example"]
    chosen = {url: primary(url, [other for other in urls if other != url]) for url in urls}
    assert chosen == {urls[0]: None} | dict.fromkeys(urls[1:], urls[0])
    assert primary(urls[2], [urls[4]]) is None
    assert primary(urls[1], []) is None
