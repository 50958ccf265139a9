"""The archive is asked about relays from which known events come, and about others by samples."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from processors.validate.asking import KnownShares

RELAY, OTHER = "wss://a.example", "wss://b.example"


def test_a_relay_of_which_nothing_is_known_is_asked_about() -> None:
    shares = KnownShares()
    shares.note(OTHER, asked=100, found=0)
    assert (shares.worth_asking(RELAY), shares.worth_asking(None), shares.worth_asking(OTHER)) == (True, True, False)


def test_a_relay_that_turns_to_known_events_and_back_is_noticed_within_two_samples() -> None:
    shares = KnownShares()
    for found in (0, 0, 0):
        shares.note(RELAY, asked=200, found=found)
    assert not shares.worth_asking(RELAY)
    for _ in range(2):
        shares.note(RELAY, asked=64, found=64)
    assert shares.worth_asking(RELAY)
    for _ in range(2):
        shares.note(RELAY, asked=64, found=0)
    assert not shares.worth_asking(RELAY)


@given(st.lists(st.tuples(st.integers(1, 300), st.floats(0, 1)), min_size=1))
def test_an_even_share_decides(answers: list[tuple[int, float]]) -> None:
    shares = KnownShares()
    for asked, share in answers:
        found = round(asked * share)
        shares.note(RELAY, asked=asked, found=found)
    if all(share >= 0.5 and round(asked * share) * 2 >= asked for asked, share in answers):
        assert shares.worth_asking(RELAY)
    elif sum(asked for asked, _ in answers) >= 32 and all(round(asked * share) * 2 < asked for asked, share in answers):
        assert not shares.worth_asking(RELAY)


def test_relays_without_end_take_no_memory_without_end() -> None:
    shares = KnownShares()
    shares.note(RELAY, asked=100, found=0)
    for number in range(10_000):
        shares.note(f"wss://{number}.example", asked=100, found=0)
    assert shares.worth_asking(RELAY), "begun anew"
