"""Progress of an import counts lines, whatever bundles they travel in."""

from __future__ import annotations

from aiokafka import TopicPartition

from bigbrotr.importing.pending import interrupted, pending
from bigbrotr.importing.sent_lines import SentLines

ONE, TWO = TopicPartition("t", 1), TopicPartition("t", 2)


def test_lines_before_a_readers_position_are_passed() -> None:
    sent = SentLines("t", {1: {4: 256, 7: 10}, 2: {0: 3}})
    assert sent.total == 269
    assert sent.ends == {ONE: 8, TWO: 1}
    assert sent.passed({}) == 0
    assert sent.passed({ONE: 4, TWO: 0}) == 0
    assert sent.passed({ONE: 5}) == sent.passed({ONE: 7}) == 256
    assert sent.passed({ONE: 8, TWO: 1}) == sent.passed({ONE: 99, TWO: 99}) == 269


def test_an_import_of_nothing_is_passed_at_once() -> None:
    sent = SentLines("t", {})
    assert (sent.total, sent.ends, sent.passed({ONE: 5})) == (0, {}, 0)


def test_what_is_pending_is_said_with_how_it_gets_archived() -> None:
    assert pending(2000, ["processor", "sink"]).startswith(
        "2,000 lines are in Kafka and not archived yet, as no processor and no sink runs. Repeat the import with --wait"
    )
    assert "as no sink runs" in pending(1, ["sink"])
    assert pending(1, []).startswith("1 line is in Kafka; the services that run archive them")


def test_an_interruption_says_what_was_sent_and_that_repeating_is_safe() -> None:
    assert interrupted(0) == "interrupted: nothing was sent"
    assert interrupted(2000).startswith("interrupted: 2,000 lines were sent")
    assert "safe to repeat" in interrupted(1)
