"""Which copies are judged: the first ones, then some that a relay cannot foresee, and all again after a forged one."""

from __future__ import annotations

from itertools import pairwise
from random import Random

from producers.connector.reading.sampling import JUDGED_FIRST, ONE_IN, Sampling


def taken(sampling: Sampling, copies: int) -> list[int]:
    return [number for number in range(copies) if sampling.takes()]


def after_the_first(seed: int) -> Sampling:
    sampling = Sampling(Random(seed))
    assert len(taken(sampling, JUDGED_FIRST)) == JUDGED_FIRST
    return sampling


def test_the_first_copies_are_judged_and_then_one_in_64() -> None:
    chosen = taken(after_the_first(1), 640_000)
    assert 9_500 < len(chosen) < 10_500
    gaps = [later - earlier for earlier, later in pairwise(chosen)]
    # Neighbours are chosen as often as anything else, so that no copy is safe after one that was.
    assert 100 < gaps.count(1) < 220
    assert max(gaps) > 5 * ONE_IN


def test_another_draw_chooses_others() -> None:
    assert taken(after_the_first(1), 10_000) == taken(after_the_first(1), 10_000)
    assert taken(after_the_first(1), 10_000) != taken(after_the_first(2), 10_000)


def test_after_a_forged_copy_all_are_judged_again() -> None:
    sampling = after_the_first(3)
    taken(sampling, 1000)
    sampling.failed()
    assert taken(sampling, JUDGED_FIRST) == list(range(JUDGED_FIRST))
    assert len(taken(sampling, 10 * ONE_IN)) < 30
