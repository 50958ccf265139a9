"""Every imported line is counted once, whatever is said of it twice."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bigbrotr.importing.import_account import Account
from bigbrotr.importing.line_outcomes import LineOutcomes, Settled

A, B, C = "aa" * 32, "bb" * 32, "cc" * 32


@pytest.fixture
def outcomes() -> Iterator[LineOutcomes]:
    made = LineOutcomes()
    made.add(0, 10, [(b"good a", A), (b"good a", A), (b"forged a", A), (b"bad b", B)])
    made.add(0, 11, [(b"good a", A), (b"odd c", C)])
    yield made
    made.close()


def accepted(outcomes: LineOutcomes) -> dict[str, int]:
    return {event_id: copies for batch in outcomes.accepted() for event_id, copies in batch.items()}


def test_what_was_not_refused_is_accepted(outcomes: LineOutcomes) -> None:
    assert accepted(outcomes) == {A: 4, B: 1, C: 1}
    assert outcomes.settled() == []


def test_a_refused_copy_does_not_take_the_genuine_ones_along(outcomes: LineOutcomes) -> None:
    outcomes.settle(0, 10, b"forged a", "refused", "bad_signature")
    outcomes.settle(0, 10, b"bad b", "refused", "id_mismatch")
    outcomes.settle(0, 11, b"odd c", "quarantined", "kind_out_of_range")
    assert accepted(outcomes) == {A: 3}
    assert outcomes.settled() == [
        Settled("quarantined", "kind_out_of_range", 1),
        Settled("refused", "bad_signature", 1),
        Settled("refused", "id_mismatch", 1),
    ]


def test_a_rejection_that_was_written_twice_counts_once(outcomes: LineOutcomes) -> None:
    for _ in range(2):
        outcomes.settle(0, 10, b"forged a", "refused", "bad_signature")
    assert outcomes.settled() == [Settled("refused", "bad_signature", 1)]


def test_of_equal_lines_in_quarantine_one_record_settles_all_but_those_that_were_erased(outcomes: LineOutcomes) -> None:
    outcomes.settle(0, 10, b"bad b", "erased", "operator")
    for raw in (b"good a", b"bad b"):
        outcomes.settle_all(0, 10, raw, "quarantined", "internal_error")
    assert accepted(outcomes) == {A: 2, C: 1}
    assert outcomes.settled() == [Settled("erased", "operator", 1), Settled("quarantined", "internal_error", 2)]


def test_rejections_of_others_are_none_of_ours(outcomes: LineOutcomes) -> None:
    outcomes.settle(1, 10, b"good a", "refused", "bad_signature")
    outcomes.settle(0, 12, b"good a", "refused", "bad_signature")
    outcomes.settle(0, 10, b"never sent", "refused", "bad_signature")
    assert accepted(outcomes) == {A: 4, B: 1, C: 1}


def test_the_sink_refuses_all_copies_of_an_event(outcomes: LineOutcomes) -> None:
    outcomes.settle(0, 10, b"forged a", "refused", "bad_signature")
    outcomes.settle_id(bytes.fromhex(A), "refused", "bad_row")
    assert accepted(outcomes) == {B: 1, C: 1}
    assert outcomes.settled() == [Settled("refused", "bad_row", 3), Settled("refused", "bad_signature", 1)]


def test_an_account_is_complete_only_if_every_line_is_in_it() -> None:
    account = Account(lines=5, archived=2, duplicates=1)
    assert not account.complete
    account.refused["not_json"] += 1
    account.quarantined["lone_surrogate"] += 1
    assert account.complete
    account.missing = 1
    assert not account.complete
