"""The fold of probes: it equals a plain look at all of them, whatever comes twice, late or not at all."""

from __future__ import annotations

import random
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.assess.health import fold, new
from processors.assess.promise import as_of, lapses_at_ms
from processors.assess.tallies import uptime
from schemas.records.probe import (
    Cause,
    Checks,
    Nip11Check,
    Observed,
    OpenCheck,
    ProbeRecord,
    ReadCheck,
    Verdict,
    WriteCheck,
)
from schemas.records.relay_health import MOST_CHANGES, MOST_OUTAGES, Claim, RelayHealth
from tests.unit.processors.assess.material import (
    DAY_MS,
    HOUR_MS,
    START_MS,
    expected,
    folded,
    history,
    probe,
)

ONE, TWO = "1" * 64, "2" * 64


@pytest.mark.parametrize("seed", range(6))
def test_uptime_and_outages_of_90_days_equal_a_plain_look_at_all_probes(seed: int) -> None:
    probes = history(seed, 90)
    health, plain = folded(probes), expected(probes)
    assert [(each.since_ms, each.until_ms) for each in health.outages] == plain.outages[-MOST_OUTAGES:]
    today = probes[-1].probed_at_ms // DAY_MS
    for days in (7, 30, 90):
        assert uptime(health.days, today - days + 1) == plain.uptime((today - days + 1) * 86_400)
    hour = probes[-1].probed_at_ms // HOUR_MS
    assert uptime(health.hours, hour - 24) == plain.uptime((hour - 24) * 3600)
    assert sum(each.probes for each in health.days) == len(probes)
    assert health.observed == Observed()
    assert len(health.encode()) < 32 * 1024


steps = st.lists(
    st.tuples(
        st.integers(1, 10_000_000),
        st.sampled_from(["works", "broken", "refuses_us", "not_nostr", "refused_by_policy"]),
        st.sampled_from([1, 2]),
    ),
    min_size=1,
    max_size=30,
)


def made(given_steps: list[tuple[int, Verdict, int]]) -> list[ProbeRecord]:
    probes, at_ms = [], START_MS
    for wait_ms, verdict, attempts in given_steps:
        at_ms += wait_ms
        probes.append(probe(at_ms, verdict, attempts=attempts))
    return probes


@given(steps)
def test_any_history_has_the_outages_and_seconds_of_a_plain_look(given_steps: list[tuple[int, Verdict, int]]) -> None:
    probes = made(given_steps)
    health, plain = folded(probes), expected(probes)
    assert [(each.since_ms, each.until_ms) for each in health.outages] == plain.outages
    for tallies, unit_s, most in ((health.days, 86_400, 400), (health.hours, 3600, 25)):
        first = probes[-1].probed_at_ms // 1000 // unit_s - most + 1
        for up, ranges in ((True, plain.up), (False, plain.down)):
            counted = sum(each.up_s if up else each.down_s for each in tallies)
            assert counted == sum(max(0, until - max(since, first * unit_s)) for since, until in ranges)


@given(steps, st.randoms(use_true_random=False), st.integers(0, 20_000_000))
def test_what_comes_again_and_what_a_clock_says_too_early_change_nothing(
    given_steps: list[tuple[int, Verdict, int]], chance: random.Random, ahead_ms: int
) -> None:
    probes = made(given_steps)
    once = folded(probes)
    health = new(probes[0])
    for number, each in enumerate(probes):
        health = as_of(fold(health, each), each.probed_at_ms + chance.randrange(ahead_ms + 1))
        health = reduce(fold, chance.choices(probes[: number + 1], k=3), health)
    assert as_of(health, probes[-1].probed_at_ms) == once
    assert RelayHealth.decode(once.encode()) == once


def test_one_failed_attempt_is_no_outage_and_a_second_probe_dates_it_back() -> None:
    up, failed, failed_again = probe(), probe(START_MS + HOUR_MS, "broken"), probe(START_MS + 2 * HOUR_MS, "broken")
    health = folded([up, failed])
    assert (health.state, health.failures, health.outages) == ("online", 1, ())
    health = fold(health, failed_again)
    assert (health.state, health.since_ms, health.failures) == ("offline", failed.probed_at_ms, 2)
    assert (health.outages[0].since_ms, health.outages[0].probes) == (failed.probed_at_ms, 2)
    health = fold(health, probe(START_MS + 3 * HOUR_MS))
    assert (health.state, health.outages[0].until_ms) == ("online", START_MS + 3 * HOUR_MS)
    assert health.online_at_ms == health.since_ms == START_MS + 3 * HOUR_MS


def test_a_flapping_relay_keeps_its_newest_outages_and_all_its_seconds() -> None:
    probes = [
        probe(START_MS + number * HOUR_MS, "works" if number % 2 else "broken", attempts=2 - number % 2)
        for number in range(24 * 10 + 1)
    ]
    health = folded(probes)
    assert len(health.outages) == MOST_OUTAGES
    assert health.outages[-1].since_ms == probes[-1].probed_at_ms
    assert uptime(health.days, 0) == 0.5


def test_a_state_is_unknown_once_the_schedule_is_not_kept_and_its_seconds_are_neither() -> None:
    health = folded([probe(next_in_s=7200)])
    lapses = START_MS + 3 * HOUR_MS
    assert lapses_at_ms(health) == lapses
    assert as_of(health, lapses - 1) == health
    unknown = as_of(health, lapses + DAY_MS)
    assert (unknown.state, unknown.since_ms, unknown.verdict) == ("unknown", lapses, "works")
    assert as_of(unknown, lapses - 1) == health
    back = fold(unknown, probe(START_MS + 10 * HOUR_MS))
    assert (back.state, back.since_ms) == ("online", START_MS + 10 * HOUR_MS)
    assert sum(each.up_s for each in back.days) == 3 * 3600


def test_the_newest_outcome_of_each_check_stays_and_a_failure_replaces_a_success() -> None:
    first = probe(
        is_full=True,
        checks=Checks(open=OpenCheck(ok=True, took_ms=5), read=ReadCheck(ok=True, took_ms=7)),
        observed=Observed(counts=True, largest_page=5),
    )
    then = probe(
        START_MS + 1, "broken", checks=Checks(open=OpenCheck(ok=False, error="no")), observed=Observed(counts=False)
    )
    health = folded([first, then])
    assert health.checks.open == then.checks.open
    assert health.checks.read == first.checks.read
    assert health.observed == Observed(counts=False, largest_page=5)
    assert (health.full_at_ms, health.probed_at_ms) == (START_MS, START_MS + 1)


def test_changes_of_the_document_are_kept_and_a_failed_question_is_none() -> None:
    answers = [
        Nip11Check(ok=True, status=200, document=ONE),
        Nip11Check(ok=True, status=200, document=TWO),
        Nip11Check(ok=False, status=403, cause="forbidden"),
        Nip11Check(ok=False, status=200, cause="challenge_page"),
        Nip11Check(ok=False),
        Nip11Check(ok=False, status=404),
        Nip11Check(ok=True, status=200, document=ONE),
    ]
    probes = [probe(START_MS + number, checks=Checks(nip11=nip11)) for number, nip11 in enumerate(answers)]
    health = folded([*probes, probe(START_MS + 9)])
    assert [(each.before, each.after, each.at_ms - START_MS) for each in health.changes] == [
        (ONE, TWO, 1),
        (TWO, None, 5),
        (None, ONE, 6),
    ]
    assert health.document == ONE
    many = [
        probe(START_MS + number, checks=Checks(nip11=Nip11Check(ok=True, status=200, document=f"{number:064x}")))
        for number in range(50)
    ]
    assert len(folded(many).changes) == MOST_CHANGES


def test_claims_change_no_state_and_those_of_our_own_monitor_are_none() -> None:
    claims = (Claim(monitor=ONE, at_s=1), Claim(monitor=TWO, at_s=2))
    down = folded([probe(START_MS, "broken", attempts=2)])
    health = fold(down.model_copy(update={"claims": claims}), probe(START_MS + 1, "broken", attempts=2, by=TWO))
    assert (health.state, health.claims) == ("offline", claims[:1])


@pytest.mark.parametrize("cause", ["no_proxy", "address", "no_route"])
def test_what_fails_by_a_setting_of_ours_is_no_downtime_and_neither_begins_nor_ends_an_outage(cause: Cause) -> None:
    def ours(hour: int) -> ProbeRecord:
        return probe(START_MS + hour * HOUR_MS, "broken", cause=cause)

    health = folded([probe(), ours(1), ours(2), ours(3)])
    assert (health.state, health.since_ms) == ("unknown", START_MS + HOUR_MS)
    assert (health.outages, health.failures, health.online_at_ms, health.cause) == ((), 0, START_MS, cause)
    assert [(each.up_s, each.down_s, each.probes, each.failures) for each in health.days] == [(3600, 0, 1, 0)]
    down = folded([probe(START_MS + 4 * HOUR_MS, "broken", attempts=2), ours(5)], health)
    assert (down.state, down.failures, [each.until_ms for each in down.outages]) == ("unknown", 1, [None])
    down = folded([probe(START_MS + 6 * HOUR_MS, "broken"), ours(7), probe(START_MS + 8 * HOUR_MS)], down)
    assert [(each.since_ms, each.until_ms, each.probes) for each in down.outages] == [
        (START_MS + 4 * HOUR_MS, START_MS + 8 * HOUR_MS, 2)
    ]
    assert sum(each.down_s for each in down.days) == 2 * 3600


def test_a_policy_on_writing_stays_while_short_probes_write_nothing() -> None:
    gives = Checks(open=OpenCheck(ok=True), read=ReadCheck(ok=True))
    refused = gives.model_copy(update={"write": WriteCheck(ok=False, cause="whitelist")})
    full = probe(START_MS, "refused_by_policy", cause="whitelist", detail="members only", is_full=True, checks=refused)
    health = folded([full, *(probe(START_MS + hour * HOUR_MS, checks=gives) for hour in (1, 2, 3))])
    assert (health.verdict, health.cause, health.detail) == ("refused_by_policy", "whitelist", "members only")
    assert (health.state, health.since_ms) == ("online", START_MS)
    health = fold(health, probe(START_MS + 4 * HOUR_MS, is_full=True, checks=gives))
    assert (health.verdict, health.cause, health.detail) == ("works", None, None)
    # It may have changed since: what was asked for, and refused, is given now.
    health = fold(health, probe(START_MS + 5 * HOUR_MS, checks=gives))
    assert health.verdict == "works"


def test_a_policy_on_reading_ends_with_the_first_probe_that_is_given_something() -> None:
    closed = Checks(open=OpenCheck(ok=True), read=ReadCheck(ok=True, cause="auth"), write=WriteCheck(ok=True))
    gives = Checks(open=OpenCheck(ok=True), read=ReadCheck(ok=True))
    health = folded([probe(START_MS, "refused_by_policy", cause="auth", is_full=True, checks=closed)])
    health = fold(health, probe(START_MS + HOUR_MS, checks=gives))
    assert (health.verdict, health.cause) == ("works", None)
