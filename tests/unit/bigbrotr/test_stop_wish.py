"""A key may repeat; only a second signal asks for an end at once."""

from __future__ import annotations

from bigbrotr.supervise.stop_wish import StopWish


def test_to_ask_again_is_no_second_signal() -> None:
    wish = StopWish()
    assert not wish.asked.is_set()
    wish.ask()
    since_s = wish.asked_at_s
    wish.ask()
    assert wish.asked.is_set()
    assert wish.asked_at_s == since_s
    assert not wish.at_once.is_set()
    wish.note()
    assert wish.at_once.is_set()
    assert wish.asked_at_s == since_s


def test_the_first_signal_asks_for_an_end_in_order() -> None:
    wish = StopWish()
    wish.note()
    assert wish.asked.is_set()
    assert not wish.at_once.is_set()
