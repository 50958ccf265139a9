"""What relays say is understood by a table, and what is in no line of it means nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.relay_client.wording import LONGEST_WAIT_S, Meaning, Said, understood
from schemas.nostr.messages import prefix_of


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("auth-required: please sign in", Said(Meaning.AUTH)),
        ("please authenticate first", Said(Meaning.AUTH)),
        ("restricted: you are not on the list", Said(Meaning.RESTRICTED)),
        ("blocked: not you", Said(Meaning.RESTRICTED)),
        ("blocked: can't handle empty filters", Said(Meaning.FILTER)),
        ("error: filter too broad", Said(Meaning.FILTER)),
        ("invalid: an author must be specified to get their kind:1 notes", Said(Meaning.FILTER)),
        ("invalid: too many kinds", Said(Meaning.KINDS)),
        ("error: at most 10 kinds in a filter", Said(Meaning.KINDS, number=10)),
        ("too many things to filter for", Said(Meaning.KINDS)),
        ("invalid: limitation.max_limit 300", Said(Meaning.LIMIT, number=300)),
        ("error: limit 5", Said(Meaning.LIMIT, number=5)),
        ("limit must be at most 100", Said(Meaning.LIMIT, number=100)),
        ("error: exceeds the limit", Said(Meaning.LIMIT)),
        ("ERROR: too many concurrent REQs", Said(Meaning.SUBSCRIPTIONS)),
        ("error: too many subscriptions, maximum subscriptions: 2", Said(Meaning.SUBSCRIPTIONS, number=2)),
        ("rate-limited: slow down, try again in 10 seconds", Said(Meaning.RATE, wait_s=10)),
        ("rate-limited: at most 10 requests a minute", Said(Meaning.RATE, rate=(10, 60))),
        ("rate limit: 120 messages per 2 min", Said(Meaning.RATE, rate=(120, 120))),
        ("slow down: 5/s", Said(Meaning.RATE, rate=(5, 1))),
        ("rate-limited: you are noting too much", Said(Meaning.RATE)),
        ("too many requests, wait 1.5 minutes", Said(Meaning.RATE, wait_s=90)),
        ("rate-limited: come back in 30 days", Said(Meaning.RATE, wait_s=LONGEST_WAIT_S)),
        ("welcome to relay 21", Said(Meaning.OTHER)),
        ("error: internal failure 500", Said(Meaning.OTHER)),
        ("", Said(Meaning.OTHER)),
    ],
)
def test_refusals_in_words(text: str, said: Said) -> None:
    assert understood(prefix_of(text), text) == said


def test_a_time_is_never_a_limit() -> None:
    said = understood("rate-limited", "rate-limited: slow down, try again in 10 seconds")
    assert said.meaning is Meaning.RATE
    assert said.number is None


@given(prefix=st.sampled_from(["", "error", "blocked", "rate-limited", "invalid"]), text=st.text(max_size=200))
def test_any_words_are_read_within_bounds(prefix: str, text: str) -> None:
    said = understood(prefix, text)
    assert said.wait_s is None or 0 <= said.wait_s <= LONGEST_WAIT_S
    assert said.number is None or said.number > 0
    assert said.rate is None or (said.rate[0] > 0 and said.rate[1] > 0)
