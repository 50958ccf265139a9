"""Snapshots to show."""

from __future__ import annotations

from dataclasses import replace

from bigbrotr.status.snapshot import Counts, RelayState, ServiceState, Snapshot

BUSY = Snapshot(
    at_s=100.0,
    servers={"kafka": "reachable", "postgres": "unreachable: refused"},
    services=(
        ServiceState("connector", "running", pid=1, port=2),
        ServiceState("processor", "running", pid=3, port=4, problem="waiting for Kafka for 7 s"),
        ServiceState("sink", "waiting", restarts=2, note="signal SIGKILL, again in 3 s: last words"),
    ),
    relays=(
        RelayState("wss://one.example", "live", received=12),
        RelayState("wss://two.example", "unreachable", "no such host; again in 4 s"),
    ),
    counts=Counts(
        received=12_345,
        verified=6_000,
        duplicates=6_300,
        rejected={"not_json": 1, "bad_signature": 44},
        quarantined={"kind_out_of_range": 2},
        archived=5_990,
        sightings=12_000,
    ),
    lags={"processor": 3, "sink": 17},
    events=("sink ended with signal SIGKILL; starts again in 3 s",),
)


def with_relays(count: int) -> Snapshot:
    """One with so many relays, whose names are as long and as strange as can be."""
    strange = ("plain", "long." * 50, "wide-漢字-🙂", "acts\x1b[2J\x07\r\n\t\u202e", "[red]markup[/]")
    relays = (
        RelayState(
            f"wss://r{place:03}.{strange[place % len(strange)]}.example",
            ("live", "crawling", "address_refused", "unreachable")[place % 4],
            f"said \x1b]0;title\x07\n{strange[(place + 1) % len(strange)]}",
            received=place,
            position_s=1_700_000_000 if place % 4 == 1 else None,
            crawled=place % 4 == 0,
            gaps=place % 3,
        )
        for place in range(count)
    )
    return replace(BUSY, relays=tuple(relays))
