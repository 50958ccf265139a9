"""What of `raw.bundles` may go: never what was not read, never what is younger than the keep time."""

from __future__ import annotations

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bigbrotr.console.parameters import DURATION
from bigbrotr.retention.trimming import Standing, Trim

OFFSETS = st.integers(0, 2**63 - 1)


@st.composite
def standings(draw: st.DrawFn) -> Standing:
    """Partitions as Kafka may tell of them: the group may be anywhere, also where the partition is not."""
    begin, young, end = sorted(draw(st.tuples(OFFSETS, OFFSETS, OFFSETS)))
    committed = draw(st.none() | OFFSETS | st.integers(begin, end))
    return Standing(begin, end, committed, young)


@pytest.mark.parametrize(
    ("committed", "young", "first_kept"),
    [
        (150, 120, 120),  # judged, but too young
        (120, 150, 120),  # old, but not judged
        (200, 200, 200),  # all is both
        (100, 200, 100),
        (90, 200, 100),  # deleted by somebody else before it was judged
        (0, 200, 100),
        (None, 200, 100),
        (201, 200, 100),  # of an earlier topic of this name
        (150, 100, 100),
    ],
)
def test_the_smaller_of_read_and_old_decides(committed: int | None, young: int, first_kept: int) -> None:
    assert Standing(100, 200, committed, young).first_kept == first_kept


@given(standings())
def test_nothing_goes_that_was_not_read_or_is_young(before: Standing) -> None:
    gone = range(before.begin, before.first_kept)
    assert before.begin <= before.first_kept <= before.end
    if gone:
        assert before.committed is not None
        assert gone[-1] < before.committed <= before.end
        assert gone[-1] < before.young


@given(standings())
def test_a_second_pass_finds_nothing(before: Standing) -> None:
    after = Standing(before.first_kept, before.end, before.committed, max(before.first_kept, before.young))
    assert after.first_kept == after.begin


@given(standings(), OFFSETS, OFFSETS)
def test_a_partition_never_begins_earlier_later_on(before: Standing, read: int, aged: int) -> None:
    """The group goes on and records get older."""
    committed = before.committed
    if committed is not None and committed <= before.end:
        committed = min(before.end, committed + read)
    later = Standing(before.begin, before.end, committed, min(before.end, before.young + aged))
    assert later.first_kept >= before.first_kept


def test_what_a_pass_did_is_counted_by_partition() -> None:
    done = Trim(
        "nostr.raw.bundles",
        {
            0: Standing(0, 10, 7, 10),
            1: Standing(5, 5, 5, 5),
            2: Standing(0, 4, None, 4),
            3: Standing(2, 9, 12, 9),
            4: Standing(0, 0, None, 0),
        },
    )
    assert done.deleted == {0: 7}
    assert done.remaining == 3 + 0 + 4 + 7
    assert done.left_alone == [2, 3]


@pytest.mark.parametrize(("text", "seconds"), [("1s", 1), ("30m", 1800), ("1h", 3600), ("7d", 604_800)])
def test_a_length_of_time_is_a_number_with_its_unit(text: str, seconds: int) -> None:
    assert DURATION.convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "1", "0h", "-1h", "1.5h", "1 h", "h", "1w", "1h30m", "9" * 30 + "d"])
def test_another_length_of_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(click.BadParameter, match="such as 30m or 1h"):
        DURATION.convert(text, None, None)
