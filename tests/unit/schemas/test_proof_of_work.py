"""Proof of work (NIP-13): what an id shows, and that nonces are found which any verifier takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.nostr.event import Event
from schemas.nostr.event_id import compute_id
from schemas.nostr.proof_of_work import leading_zero_bits, work

DRAFT = Event("", "aa" * 32, 1_700_000_000, 1, [["t", "x"]], "hello", "")


@pytest.mark.parametrize(
    ("event_id", "bits"),
    [
        # The examples of NIP-13.
        ("000000000e9d97a1ab09fc381030b346cdd7a142ad57e6df0b46dc9bef6c7e2d", 36),
        ("6bf5b4f434813c64b523d2b0e6efe18f3bd0cbbd0a5effd8ece9e00fd2531996", 1),
        ("0" * 64, 256),
        ("f" * 64, 0),
    ],
)
def test_work_is_counted_in_leading_zero_bits(event_id: str, bits: int) -> None:
    assert leading_zero_bits(event_id) == bits


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=50), st.integers(1, 8))
def test_a_nonce_that_was_found_shows_the_work(content: str, bits: int) -> None:
    """Contents that look like the tag itself included."""
    draft = DRAFT._replace(content=content, tags=[["nonce", "000000000000"], ["x", '["nonce","000000000000']])
    found = work(draft, bits, 0, 100_000)
    assert found is not None
    assert compute_id(found) == found.id
    assert leading_zero_bits(found.id) >= bits
    assert found.tags[:-1] == draft.tags
    assert found.tags[-1][2] == str(bits)


def test_trying_goes_on_where_it_ended() -> None:
    found = work(DRAFT, 8, 0, 100_000)
    assert found is not None
    nonce = int(found.tags[-1][1])
    assert work(DRAFT, 8, 0, nonce) is None
    assert work(DRAFT, 8, nonce, 1) == found
