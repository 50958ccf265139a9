"""What events say to their readers: references, profiles and lists, whatever their shape."""

from __future__ import annotations

import pytest

from schemas.nostr.event import Event
from schemas.nostr.reading.lists import MOST_RELAYS, follows, parse_relay_list
from schemas.nostr.reading.profile import Profile, parse_profile
from schemas.nostr.reading.references import classes_of, filters, is_direct

ID, OTHER, THIRD = "a" * 64, "b" * 64, "c" * 64
ADDRESS = f"30023:{'d' * 64}:x"


def event(kind: int, tags: list[list[str]], content: str = "") -> Event:
    return Event("e" * 64, "f" * 64, 5, kind, tags, content, "0" * 128)


@pytest.mark.parametrize(
    ("tags", "direct"),
    [
        ([["e", ID]], True),
        ([["e", ID, "", "root"]], True),
        ([["e", ID, "", "root"], ["e", OTHER, "", "reply"]], False),
        ([["e", OTHER, "", "root"], ["e", ID, "", "reply"]], True),
        ([["e", OTHER], ["e", ID]], True),
        ([["e", ID], ["e", OTHER]], False),
        ([["e", ID, "mention"], ["e", OTHER]], False),
        ([["e", ID, "", "mention"]], False),
        ([["e", OTHER], ["e", ID, "", "mention"]], False),
        ([["e", ID, "wss://relay.example", "f" * 64]], True),
        ([["e"], [], ["e", ID]], True),
    ],
)
def test_a_note_replies_directly_to_its_parent_alone(tags: list[list[str]], *, direct: bool) -> None:
    assert is_direct(event(1, tags), ID, None) is direct


def test_a_comment_names_its_parent_in_small_letters() -> None:
    assert is_direct(event(1111, [["E", ID], ["e", ID]]), ID, None)
    assert not is_direct(event(1111, [["E", ID], ["e", OTHER]]), ID, None)
    assert is_direct(event(1111, [["A", ADDRESS], ["a", ADDRESS], ["e", THIRD]]), ID, ADDRESS)


@pytest.mark.parametrize(
    ("kind", "tags", "classes"),
    [
        (1, [["e", ID]], ["replies"]),
        (1, [["a", ADDRESS]], ["replies"]),
        (1, [["q", ID]], ["quotes"]),
        (1, [["e", ID], ["q", ADDRESS]], ["replies", "quotes"]),
        (1111, [["e", ID]], ["replies"]),
        (1111, [["E", ID], ["e", OTHER]], ["replies"]),
        (1111, [["A", ADDRESS]], ["replies"]),
        (1, [["E", ID]], []),
        (7, [["e", OTHER], ["e", ID]], ["reactions"]),
        (7, [["a", ADDRESS]], ["reactions"]),
        (6, [["e", ID]], ["reposts"]),
        (16, [["e", ID]], ["reposts"]),
        (9735, [["e", ID]], ["zaps"]),
        (30_023, [["e", ID]], []),
        (30_023, [["q", ID]], ["quotes"]),
        (1, [["e", ADDRESS], ["a", ID], ["", ID], ["ea", ID], ["e"], []], []),
    ],
)
def test_an_event_refers_by_its_kind_and_its_tags(kind: int, tags: list[list[str]], classes: list[str]) -> None:
    found = event(kind, tags)
    assert classes_of(found, ID, ADDRESS) == classes
    assert any(wanted.matches(found) for wanted in filters(ID, ADDRESS)) is bool(classes)
    assert classes_of(found, THIRD, None) == []


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "7", '"x"', "{" * 100_000, '{"name":{}}', '{"name":""}'])
def test_a_profile_that_says_nothing_is_one(content: str) -> None:
    assert parse_profile(event(0, [], content)) == Profile()


def test_lists_are_bounded_and_hold_each_relay_once() -> None:
    tags = [["r", f"wss://relay{number}.example.com"] for number in range(1000)]
    found = parse_relay_list(event(10_002, tags))
    assert (len(found.relays), found.left_out) == (MOST_RELAYS, 1000 - MOST_RELAYS)
    assert parse_relay_list(event(10_050, [["r", "wss://relay.example.com"], ["relay", "x"]])) == ((), 1)
    assert follows(event(3, [["p", ID], ["p", OTHER], ["p", ID], ["p", "A" * 64], ["p"], ["e", THIRD]])) == [ID, OTHER]
