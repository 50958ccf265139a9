"""What a connector says of its relays is shown without more certainty than it has."""

from __future__ import annotations

from typing import Any

from bigbrotr.status.relay_states import relay_states
from bigbrotr.status.snapshot import RelayState

NOW_S = 1_700_000_000.5


def state(
    *, last_error: str | None = None, retry_in_s: int | None = None, word: str = "live", **crawl: Any
) -> RelayState:
    relay = {
        "url": "wss://a.example",
        "state": word,
        "received": 7,
        "last_error": last_error,
        "retry_in_s": retry_in_s,
        "crawl": {"done": False, "position_s": None, "problem": None, "gaps": 0, **crawl},
    }
    (found,) = relay_states({"relays": [relay]}, NOW_S)
    return found


def test_a_crawl_is_done_while_its_relay_is_followed() -> None:
    assert state(done=True, gaps=2).crawled
    assert not state(done=True, word="connected").crawled, "what came while it was away is not read yet"
    assert not state(done=True, word="unreachable").crawled
    assert not state().crawled


def test_a_crawl_that_begins_in_the_future_has_come_to_now() -> None:
    assert state(position_s=2**63 - 1).position_s == int(NOW_S)
    assert state(position_s=5).position_s == 5
    assert state().position_s is None


def test_a_relay_that_is_away_has_its_reason() -> None:
    found = state(word="unreachable", last_error="no such host", retry_in_s=4, problem="no EOSE", gaps=3)
    assert (found.detail, found.gaps, found.received) == ("no such host; no EOSE; again in 4 s", 3, 7)
    assert relay_states({}, NOW_S) == []
