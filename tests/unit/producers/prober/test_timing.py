"""What is known of a relay after a probe, for when the next one is."""

from __future__ import annotations

import pytest

from producers.prober.timing import Known, known_after
from schemas.records.probe import Cause, Checks, ProbeRecord, Verdict
from schemas.relay_urls.relay_url import Network

AT_MS = 1_700_000_000_000
BEFORE = Known(AT_MS - 1, AT_MS - 1, 3, "broken")


@pytest.mark.parametrize(
    ("verdict", "cause", "failures"),
    [
        ("works", None, 0),
        ("refused_by_policy", "auth", 0),
        ("refuses_us", "forbidden", 4),
        ("broken", "tls", 4),
        ("not_nostr", None, 4),
        # For a reason of this host's nothing was learnt of the relay, so it waits no longer for its next turn.
        ("broken", "no_proxy", 3),
        ("broken", "no_route", 3),
    ],
)
def test_failures_in_a_row_are_those_of_the_relay(verdict: Verdict, cause: Cause | None, failures: int) -> None:
    probe = ProbeRecord(
        url="wss://relay.example.com",
        network=Network.CLEARNET,
        is_full=False,
        verdict=verdict,
        cause=cause,
        checks=Checks(),
        probed_at_ms=AT_MS,
    )
    assert known_after(BEFORE, probe) == Known(AT_MS, AT_MS - 1, failures, verdict)
