"""Subscription ids fit what a relay takes, and none is given twice."""

from __future__ import annotations

import pytest

from producers.relay_client.names import Names


def test_ids_name_their_purpose_where_there_is_room() -> None:
    names = Names()
    assert [names.new("live"), names.new("page")] == ["live-1", "page-2"]
    assert Names(6).new("page") == "page-1"


@pytest.mark.parametrize("longest", [2, 3, 5])
def test_short_ids_are_short_and_never_the_same(longest: int) -> None:
    names = Names(longest)
    given = [names.new("page") for _ in range(36**2 - 1)]
    assert len(set(given)) == len(given)
    assert max(map(len, given)) <= longest


def test_where_there_are_no_shorter_ids_left_longer_ones_are_given() -> None:
    names = Names(1)
    given = [names.new("page") for _ in range(100)]
    assert len(set(given)) == 100
    assert [len(name) for name in given[:35]] == [1] * 35
