from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.backoff import Backoff

firsts = st.floats(0.001, 10)
draws = st.floats(0, 1, exclude_max=True)


@given(firsts, st.floats(1, 1000), st.lists(draws, min_size=1, max_size=100))
def test_a_wait_lies_between_a_tenth_of_its_ceiling_and_the_ceiling(
    first: float, factor: float, drawn: list[float]
) -> None:
    most = first * factor
    draw = iter(drawn)
    backoff = Backoff(first, most, draw=lambda: next(draw))
    for failures in range(len(drawn)):
        ceiling = min(most, first * 2**failures)
        assert 0.1 * ceiling <= backoff.next_s() * (1 + 1e-9)
        assert backoff.failures == failures + 1
    assert Backoff(first, most, draw=lambda: 1.0).next_s() <= first * (1 + 1e-9)


@given(firsts, draws)
def test_the_longest_draw_doubles_up_to_the_limit_and_a_reset_begins_again(first: float, drawn: float) -> None:
    backoff = Backoff(first, first * 4, draw=lambda: drawn)
    share = 0.1 + 0.9 * drawn
    waits = [backoff.next_s() for _ in range(5)]
    assert waits == pytest.approx([first * share * times for times in (1, 2, 4, 4, 4)])
    backoff.reset()
    assert backoff.next_s() == pytest.approx(first * share)


def test_it_stays_finite_after_years_of_failures() -> None:
    backoff = Backoff(0.5, 60, draw=lambda: 0.5)
    backoff.failures = 10**9
    assert backoff.next_s() == pytest.approx(33.0)


@pytest.mark.parametrize(("first", "most"), [(0, 1), (-1, 1), (2, 1)])
def test_impossible_limits_are_refused(first: float, most: float) -> None:
    with pytest.raises(ValueError, match="0 < initial_s <= max_s"):
        Backoff(first, most)
