"""What refuses a question does not tell how much was found: some of it may be hidden from the reader."""

from __future__ import annotations

from itertools import pairwise

import pytest

from core.archive.queries.cost import Budget, TooCostlyError


def refusals(budget: Budget, amount: int) -> list[str]:
    texts = []
    with pytest.raises(TooCostlyError) as of_rows:
        budget.take_rows("kinds", 10 + amount)
    texts.append(str(of_rows.value))
    with pytest.raises(TooCostlyError) as of_probes:
        budget.take_probes("authors", 10 + amount, amount)
    texts.append(str(of_probes.value))
    return texts


def test_the_text_of_a_refusal_is_the_same_whatever_was_found() -> None:
    told = [refusals(Budget(most_probes=5, most_rows=10), amount) for amount in (1, 2, 1000)]
    assert all(one == other for one, other in pairwise(told))
    assert [text.partition(":")[0] for text in told[0]] == ["kinds", "authors"]
    assert "10" in told[0][0]


def test_what_is_within_the_bounds_is_not_refused() -> None:
    budget = Budget(most_probes=5, most_rows=10)
    budget.take_rows("kinds", 10)
    budget.take_probes("authors", 5, 1)
