"""Lists of kinds name what is to be named and stay as they are; read is only what all of them have read."""

from __future__ import annotations

from producers.connector.coverage.ledger import ByKinds, Ledger
from producers.connector.coverage.progress import Progress
from producers.connector.kind_lists import SIZES, kind_lists, name_all, smaller
from producers.connector.known_filters import REGISTERED_KINDS, WITHHELD_KINDS
from producers.connector.relay_behavior import LONG_LIST
from schemas.nostr.filters import Filter
from schemas.nostr.kinds import MAX_KIND
from schemas.ranges import contains
from schemas.records.coverage import Coverage, GapReason

NOW = 1_790_000_000
BASE = Filter()
NAME = BASE.filter_hash()


def test_long_lists_name_every_kind_once() -> None:
    lists = kind_lists(BASE, LONG_LIST, REGISTERED_KINDS, [54_321], [(1, 2)])
    kinds = [kind for each in lists for kind in each]
    assert sorted(kinds) == list(range(MAX_KIND + 1))
    assert len(lists) == 10
    assert name_all(BASE, lists)
    assert all((kind,) in lists for kind in WITHHELD_KINDS)


def test_a_new_kind_is_a_list_of_its_own_and_those_in_use_stay() -> None:
    first = kind_lists(BASE, 10, REGISTERED_KINDS, [], [])
    assert all(len(each) <= 10 for each in first)
    assert not name_all(BASE, first)
    second = kind_lists(BASE, 10, REGISTERED_KINDS, [54_321], first)
    assert set(second) == {*first, (54_321,)}
    assert set(kind_lists(BASE, 10, (*REGISTERED_KINDS, 60_001), [54_321], second)) == {*second, (60_001,)}


def test_a_filter_with_kinds_is_cut_into_lists_that_say_the_same() -> None:
    base = Filter(kinds=tuple(range(25)))
    lists = kind_lists(base, 10, REGISTERED_KINDS, [54_321], [])
    assert name_all(base, lists)
    assert {kind for each in lists for kind in each} == set(range(25))


def test_sizes_end_at_one_and_a_named_one_is_taken() -> None:
    assert [smaller(size) for size in SIZES] == [*SIZES[1:], None]
    assert smaller(250, 20) == 20
    assert smaller(250, 300) == 10


def by_kinds(*lists: tuple[int, ...], whole: bool) -> dict[str, ByKinds]:
    return {NAME: ByKinds([Filter(kinds=kinds) for kinds in lists], whole)}


def test_the_filter_is_read_as_far_as_all_lists_that_name_every_kind() -> None:
    book = Ledger("wss://relay.example", {NAME: BASE}, None)
    book.read_by_kinds(by_kinds((1,), (2,), whole=True))
    one, two = (Filter(kinds=(kind,)).filter_hash() for kind in (1, 2))
    assert set(book.reading) == {one, two}
    book.add(one, Progress(read=[(0, 100)]), NOW)
    assert book.record(0).sets[0].read == []
    book.add(two, Progress(read=[(50, 200)]), NOW + 5)
    (whole,) = [each for each in book.record(0).sets if each.filter == NAME]
    assert whole.read == [(50, 100, NOW)]
    assert whole.gaps == []


def test_lists_that_lack_a_kind_leave_a_gap_that_says_so() -> None:
    book = Ledger("wss://relay.example", {NAME: BASE}, None)
    book.add(NAME, Progress(read=[(0, 9)]), NOW)
    book.read_by_kinds(by_kinds((1,), whole=False))
    book.add(Filter(kinds=(1,)).filter_hash(), Progress(read=[(0, 100)]), NOW)
    record = book.record(0)
    (base,) = [each for each in record.sets if each.filter == NAME]
    assert base.read == [(0, 9, NOW)]
    assert [(gap.since, gap.until, gap.reason) for gap in base.gaps] == [(10, 100, GapReason.BY_KINDS)]
    again = Ledger("wss://relay.example", {NAME: BASE}, Coverage.decode(record.encode()))
    assert again.kind_lists(NAME) == [(1,)]
    # The ordinary way, tried again, asks for what was read by kinds only.
    assert contains(again.backlog(NAME, NOW), 50)
