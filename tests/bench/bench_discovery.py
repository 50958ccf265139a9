"""Measure what finding relays costs of a new event, beside what the rest of its validation costs.

Run by `python -m tests.bench.bench_discovery`. Every figure is from this run on this machine; the last column, the
ratio to checking one signature, is what can be compared between machines. Uses the real events beside this checkout if
there are any, or else generated ones.
"""

from __future__ import annotations

import gzip

from deploy.demo.events import generate
from processors.validate.discovery.findings import Findings
from processors.validate.discovery.told import Told
from schemas.nostr.event import Event, parse_event
from schemas.nostr.judge import Policy, examine
from schemas.nostr.relay_mentions import mentions
from schemas.nostr.signature import verify
from schemas.reasons import EventError
from tests.bench.bench_parse import BUNDLE_LINES, REAL, SEEN_AT_MS, measure

COUNT = 1_000
CHECKED = 500
"""Signatures: each takes as long as the others."""


def sample() -> list[tuple[bytes, Event]]:
    """Events of all kinds and sizes, with their texts."""
    if REAL.exists():
        raws = gzip.decompress(REAL.read_bytes()).splitlines()
    else:
        raws = [made.wire for made in generate(COUNT, seed=1, base_time_s=SEEN_AT_MS // 1000)]
    events = []
    for raw in raws:
        try:
            events.append((raw, parse_event(raw)))
        except EventError:
            continue
    return events[:: max(1, len(events) // COUNT)]


def main() -> None:
    """Print one line per function."""
    found = sample()
    events = [event for _, event in found]
    bundles = [events[start : start + BUNDLE_LINES] for start in range(0, len(events), BUNDLE_LINES)]
    told = Told()

    def discover(bundle: list[Event]) -> list[bytes]:
        relays = Findings()
        for event in bundle:
            relays.add(mentions(event), event.pubkey, SEEN_AT_MS)
        news = told.news(relays)
        told.learn(news)
        return [relay.encode() for relay in news]

    records = sum(len(discover(bundle)) for bundle in bundles)
    base = measure(lambda event: verify(event.pubkey, event.id, event.sig), events[:CHECKED])
    figures = {
        "signature.verify": base,
        "judge.examine": measure(lambda pair: examine(pair[0], Policy()), found),
        "relay_mentions.mentions": measure(mentions, events),
        "all that discovery does": measure(discover, bundles) * len(bundles) / len(events),
    }
    named = [mention for event in events for mention in mentions(event)]
    print(f"{len(events)} {'real' if REAL.exists() else 'generated'} events, {sum(len(raw) for raw, _ in found)} bytes")
    print(f"{len(named)} mentions of {len({url.url for url, _, _ in named})} relays; {records} records at first")
    for name, microseconds in figures.items():
        print(f"{name:28} {microseconds:6.2f} us an event {microseconds / base:6.2f} of signature.verify")


if __name__ == "__main__":
    main()
