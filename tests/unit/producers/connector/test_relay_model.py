"""What is learnt of a relay has evidence and a time, survives a restart, and grows old."""

from __future__ import annotations

import pytest

from producers.connector.relay_behavior import LONG_LIST
from producers.connector.relay_model import KEPT_S, LEAST_BELIEVED, Model, Name
from producers.relay_client.wording import Meaning, Said, understood
from schemas.nostr.filters import Filter
from schemas.nostr.messages import req
from schemas.records.coverage import LONGEST_EVIDENCE, Fact
from schemas.records.relay_health import Limits

NOW = 1_790_000_000
BARE = Filter(limit=500)


def take(model: Model, said: Said, asked: Filter = BARE, open_at_once: int = 2) -> bool:
    return model.take(said, "as it said", NOW, asked=asked, open_at_once=open_at_once)


def test_a_fact_survives_a_restart_for_a_week() -> None:
    model = Model(500)
    assert model.learn(Name.PAGE_EVENTS, 62, "x" * 500, NOW)
    assert not model.learn(Name.PAGE_EVENTS, 62, "again", NOW + 1)
    (fact,) = model.facts
    assert fact.value == 62
    assert len(fact.evidence) <= LONGEST_EVIDENCE
    again = Model(500, model.facts)
    again.begin_visit(NOW + KEPT_S)
    assert (again.page_limit, again.behavior.limit, again.cut) == (62, 62, True)
    again.begin_visit(NOW + 1 + KEPT_S)
    assert (again.page_limit, again.behavior.limit, again.cut) == (500, 500, False)
    assert again.facts == []


def test_what_makes_reading_faster_is_proved_anew_each_visit() -> None:
    model = Model(500)
    model.begin_visit(NOW)
    model.behavior.proof_bits, model.behavior.prompt, model.behavior.exclusive_until = 99.0, True, False
    model.begin_visit(NOW)
    behavior = model.behavior
    assert not behavior.proof_bits
    assert not behavior.prompt
    assert behavior.exclusive_until is None


@pytest.mark.parametrize("value", ["many", -5, 0, 10**9])
def test_a_record_with_odd_values_is_no_trouble(value: str | int) -> None:
    names = [*Name, "of a newer version"]
    model = Model(500, [Fact(name=name, value=value, evidence="", at_s=NOW) for name in names])
    assert 1 <= model.page_limit <= 500
    assert model.late_s >= 0
    assert model.interval_s >= 0
    assert "of a newer version" in {fact.name for fact in model.facts}


def test_a_limit_goes_down_to_what_is_named_or_to_half_and_never_below_one() -> None:
    model = Model(500)
    assert take(model, understood("invalid", "invalid: limitation.max_limit 300"))
    assert model.behavior.limit == 300
    # Another question of before it was lowered.
    assert take(model, understood("invalid", "invalid: limitation.max_limit 300"))
    assert model.behavior.limit == 300
    while take(model, Said(Meaning.LIMIT), Filter(limit=model.behavior.limit)):
        assert model.behavior.limit >= 1
    assert model.behavior.limit == 1


def test_lists_of_kinds_become_shorter_until_single_kinds() -> None:
    model = Model(500)
    assert take(model, Said(Meaning.FILTER))
    assert model.kinds_at_once == LONG_LIST
    lengths = [LONG_LIST]
    while take(model, Said(Meaning.KINDS), Filter(kinds=tuple(range(lengths[-1])), limit=1)):
        assert model.kinds_at_once is not None
        lengths.append(model.kinds_at_once)
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[-1] == 1


def test_a_list_that_is_too_long_for_a_relay_that_takes_bare_filters_is_another_fact() -> None:
    model = Model(500)
    assert take(model, Said(Meaning.KINDS, number=20), Filter(kinds=tuple(range(250)), limit=1))
    assert (model.kinds_at_once, model.list_length) == (None, 20)


def test_one_subscription_is_as_few_as_there_can_be() -> None:
    model = Model(500)
    assert take(model, Said(Meaning.SUBSCRIPTIONS), open_at_once=3)
    assert model.subscriptions == 2
    assert take(model, Said(Meaning.SUBSCRIPTIONS, number=1), open_at_once=2)
    assert model.subscriptions == 1
    assert not take(model, Said(Meaning.SUBSCRIPTIONS), open_at_once=1)


def test_an_unknown_text_teaches_nothing() -> None:
    model = Model(500)
    assert not take(model, understood("error", "error: 42 things went wrong"))
    assert model.facts == []


def test_limits_that_others_know_bound_what_is_asked() -> None:
    limits = Limits(max_limit=300, max_subscriptions=4, max_subid_length=8, max_message_length=16_384)
    model = Model(500, limits=lambda: limits)
    assert (model.page_limit, model.behavior.limit, model.subscriptions, model.subid_length) == (300, 300, 4, 8)
    # No fact: that pages are cut at a length was not met.
    assert (model.cut, model.facts) == (False, [])
    behavior = model.behavior
    assert behavior.longest_list < LONG_LIST
    asked = [
        Filter(kinds=tuple(range(65_536))[-behavior.longest_list :]),
        Filter(authors=("f" * 64,) * behavior.most_ids),
    ]
    for each in asked:
        assert len(req("a" * 8, {**each.to_wire(), "since": NOW, "until": NOW, "limit": 500})) <= 16_384
    assert model.kinds_of(Filter()) is None
    assert model.kinds_of(Filter(kinds=tuple(range(100)))) is None
    assert model.kinds_of(Filter(kinds=tuple(range(5000)))) == behavior.longest_list


def test_what_was_met_takes_precedence() -> None:
    limits = Limits(max_limit=300, max_subscriptions=4)
    facts = [(Name.PAGE_EVENTS, 400), (Name.SUBSCRIPTIONS, 9)]
    model = Model(
        500, [Fact(name=name, value=value, evidence="", at_s=NOW) for name, value in facts], limits=lambda: limits
    )
    assert (model.page_limit, model.subscriptions) == (400, 9)


def test_limits_that_no_relay_can_mean_are_not_believed() -> None:
    least = Limits(max_limit=1, max_subscriptions=1, max_subid_length=1, max_message_length=1)
    model = Model(500, limits=lambda: least)
    assert model.page_limit == LEAST_BELIEVED
    assert model.behavior.longest_list >= model.behavior.most_kinds
    assert model.behavior.most_ids >= 50
    most = Limits(max_limit=2**62, max_subscriptions=2**62, max_subid_length=2**62, max_message_length=2**62)
    model = Model(500, limits=lambda: most)
    assert (model.page_limit, model.behavior.longest_list, model.behavior.most_ids) == (500, LONG_LIST, 100)


def test_changed_limits_hold_from_the_next_visit_on() -> None:
    known = [Limits()]
    model = Model(500, limits=lambda: known[0])
    assert (model.behavior.limit, model.subscriptions) == (500, None)
    known[0] = Limits(max_limit=100, max_subscriptions=2)
    assert model.subscriptions == 2
    assert model.behavior.limit == 500
    model.begin_visit(NOW)
    assert model.behavior.limit == 100
