"""The time axis of coverage, and what is drawn on it."""

from __future__ import annotations

import datetime as dt
import itertools
import random

import pytest
from click.testing import CliRunner

from bigbrotr.commands.archive.coverage import coverage
from bigbrotr.console.coverage_bar import Cell, axis, cells, share
from bigbrotr.console.coverage_view import Style, age, filter_name, legend, percent, relay_lines
from core.archive.coverage import FilterState, GapState, RelayState
from schemas.ranges import Range
from schemas.records.coverage import Copies, Fact


def second(text: str) -> int:
    return int(dt.datetime.fromisoformat(f"{text}+00:00").timestamp())


@pytest.mark.parametrize(
    ("since", "until", "width", "unit", "count"),
    [
        ("2020-11-01", "2026-11-24", 78, "month", 73),
        ("2020-11-01", "2026-11-24", 40, "quarter", 25),
        ("2020-11-01", "2026-11-24", 10, "year", 7),
        ("2024-05-01", "2024-06-01", 78, "day", 31),
        ("2024-05-01", "2024-06-01", 30, "month", 1),
        ("2024-02-28T12:30:00", "2024-03-01T00:00:01", 78, "hour", 37),
        ("1970-01-01", "2099-01-01", 10, "year", 10),
        ("2024-05-01", "2024-05-01T00:00:01", 10, "hour", 1),
    ],
)
def test_the_shortest_unit_is_taken_that_fits(since: str, until: str, width: int, unit: str, count: int) -> None:
    drawn = axis(second(since), second(until), width)
    assert (drawn.unit.name, len(drawn.bounds) - 1) == (unit, count)
    assert drawn.bounds[-1] == second(until)
    assert drawn.bounds == sorted(set(drawn.bounds))
    for bound in drawn.bounds[1:-1]:
        moment = dt.datetime.fromtimestamp(bound, dt.UTC)
        assert drawn.unit.floor(moment) == moment
    assert len(drawn.labels()) <= width + 6


def test_years_stand_where_they_begin() -> None:
    drawn = axis(second("2020-11-01"), second("2026-11-24"), 78)
    labels = drawn.labels()
    assert labels.startswith("2020")
    for year in range(2022, 2027):
        place = labels.index(str(year))
        assert drawn.bounds[place] == second(f"{year}-01-01")


def some_ranges(rng: random.Random) -> list[Range]:
    pairs = [sorted(rng.choices(range(220), k=2)) for _ in range(rng.randrange(6))]
    return [(low, high) for low, high in pairs]


def test_a_cell_is_what_its_seconds_are() -> None:
    rng = random.Random(5)
    for _ in range(300):
        bounds = sorted(rng.sample(range(200), rng.randrange(2, 12)))
        read, gaps = some_ranges(rng), some_ranges(rng)
        expected = []
        seen = {at for low, high in read for at in range(low, high + 1)}
        missing = {at for low, high in gaps for at in range(low, high + 1)}
        for low, high in itertools.pairwise(bounds):
            here = set(range(low, high))
            kind = Cell.READ if here <= seen else Cell.PARTLY if here & seen else Cell.UNREAD
            expected.append(Cell.GAP if here & missing else kind)
        assert cells(bounds, read, gaps) == expected
        whole = set(range(bounds[0], bounds[-1]))
        assert share(read, bounds[0], bounds[-1]) == pytest.approx(len(whole & seen) / len(whole))


def test_a_relay_is_told_in_lines_also_without_colour_or_other_characters() -> None:
    gaps = [GapState(second("2024-05-03"), second("2024-05-03"), "dense_second", 3, second("2024-06-02"))]
    gaps += [GapState(second("2024-05-02"), second("2024-05-02T01:00:00"), "closed", 1, None)]
    read = [(second("2024-05-01"), second("2024-05-10") - 1)]
    state = RelayState(
        "wss://a.example",
        second("2024-06-01"),
        second("2024-06-01") * 1000,
        [FilterState("f1", {}, None, read, gaps), FilterState("f2", None, "ab" * 32, [], [])],
        [Fact(name="interval_s", value=6.3, evidence="slow down", at_s=1)],
        Copies(received=1200, repeated=200),
    )
    drawn = axis(second("2024-05-01"), second("2024-06-01"), 78)
    lines = [line.plain for line in relay_lines(state, drawn, Style(unicode=False, gaps=1), second("2024-06-01") + 90)]
    assert lines == [
        "wss://a.example",
        "  as of 2024-06-01 00:00:00, 90 s ago; followed up to 2024-06-01 00:00:00",
        "  1,200 copies received, 200 of them repeated: overhead 1.20",
        "  everything: 29.0 % read, 2 gaps: closed 1, dense_second 1",
        "  2024-05",
        "  #xx######......................",
        "  gap 2024-05-03 00:00:00: dense_second, asked 3 times, again 2024-06-02 00:00:00",
        "  and 1 older gaps: --gaps N lists more, --json all",
        "  filter f2, as abababababab...: 0.0 % read",
        "  2024-05",
        "  ...............................",
    ]
    with_facts = relay_lines(state, drawn, Style(unicode=False, gaps=1, facts=True), 0)
    assert [line.plain for line in with_facts][3:5] == [
        '  wants 6.3 s between two messages: "slow down", 1970-01-01',
        lines[3],
    ]
    assert all(line.isascii() for line in [*lines, legend(drawn, Style(unicode=False, gaps=1)).plain])


def test_a_long_filter_is_cut_and_still_told_from_others() -> None:
    wire = {"authors": ["ab" * 32] * 100}
    name = filter_name(FilterState("f3", wire, None, [], []))
    assert len(name) < 130
    assert name.endswith("(f3)")
    assert filter_name(FilterState("f3", {"#t": ["a"]}, None, [], [])) == '{"#t":["a"]}'


@pytest.mark.parametrize(
    ("wire", "name"),
    [
        ({"kinds": [4]}, "kinds 4"),
        ({"kinds": [0, 1, 3]}, "kinds 0, 1, 3"),
        ({"kinds": list(range(250))}, "kinds 0, 1, 2 ... 249 (250) (f3)"),
        ({"kinds": [1, 6], "#t": ["nostr"]}, 'kinds 1, 6 of {"#t":["nostr"]}'),
        (
            {"kinds": list(range(1000, 3000)), "#t": ["a"]},
            'kinds 1000, 1001, 1002 ... 2999 (2,000) of {"#t":["a"]} (f3)',
        ),
        ({"kinds": []}, '{"kinds":[]}'),
    ],
)
def test_kinds_are_told_in_a_few_words(wire: dict[str, object], name: str) -> None:
    assert filter_name(FilterState("f3", wire, None, [], [])) == name


def test_shares_and_ages_are_not_rounded_to_what_they_are_not() -> None:
    assert [percent(part) for part in (0, 0.0001, 0.5, 0.99999, 1)] == [
        "0.0 %",
        "below 0.1 %",
        "50.0 %",
        "above 99.9 %",
        "100.0 %",
    ]
    assert [age(seconds) for seconds in (-3, 59, 7200, 200_000)] == ["0 s", "59 s", "2 hours", "2 days"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--since", "2024-06-01", "--until", "2024-05-01"], "--since must be before --until"),
        (["--until", "99999999999999999999"], "between 1970 and 2100"),
        (["--since", "May"], "give Unix seconds"),
        (["no url"], "no url"),
    ],
)
def test_wrong_use_is_a_sentence(arguments: list[str], said: str) -> None:
    done = CliRunner().invoke(coverage, arguments)
    assert done.exit_code == 2
    assert said in done.output
