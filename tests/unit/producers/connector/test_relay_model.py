"""What is learnt of a relay has evidence and a time, survives a restart, and grows old."""

from __future__ import annotations

import pytest

from producers.connector.kind_lists import LONG_LIST
from producers.connector.relay_model import KEPT_S, Model, Name
from producers.relay_client.wording import Meaning, Said, understood
from schemas.nostr.filters import Filter
from schemas.records.coverage import LONGEST_EVIDENCE, Fact

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
