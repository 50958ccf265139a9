"""Measure what every received copy costs in pure functions: cut, parse, judge, encode, decode.

Run by `python -m tests.bench.bench_parse`. Every figure is from this run on this machine; the last column, the ratio to
decoding the same event by orjson, is what can be compared between machines. Uses the real events beside this checkout
if there are any, or else generated ones of the same size.
"""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import orjson

from schemas.examples.generate import signed
from schemas.nostr.event import encode_event, parse_event
from schemas.nostr.event_id import IdForm, id_form
from schemas.nostr.facts import facts
from schemas.nostr.judge import Policy, examine
from schemas.nostr.wire import find_id, open_event_frame, split_event_frame
from schemas.records import bundle, event_record, sighting

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "real-events.jsonl.gz"
SIZES = range(600, 800)
"""Bytes: around the mean of relays' traffic."""
COUNT = 1_000
ROUNDS = 15
"""The best of them: other work on the machine only ever adds time."""
BUNDLE_LINES = 256
RELAY = "wss://relay.example.com"
SEEN_AT_MS = 1_700_000_000_000


def sample() -> list[bytes]:
    """Events as relays send them, of 600 to 800 bytes."""
    if REAL.exists():
        raws = [raw for raw in gzip.decompress(REAL.read_bytes()).splitlines() if len(raw) in SIZES]
    else:
        tags = [["e", "ab" * 32, RELAY, "root"], ["p", "cd" * 32]]
        raws = [
            encode_event(signed(1, tags, f'Note {i}, of "usual" length.\n' + "and so on " * 10)) for i in range(COUNT)
        ]
    return raws[:COUNT]


def measure(work: Callable[[Any], object], inputs: Iterable[Any]) -> float:
    """Microseconds of CPU a call, the best of the rounds."""
    inputs = list(inputs)
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.process_time()
        for given in inputs:
            work(given)
        best = min(best, time.process_time() - start)
    return best / len(inputs) * 1e6


def measure_bundles(lines: list[bytes]) -> float:
    """Microseconds a line to decode bundles of the usual size."""
    values = [b"".join(lines[i : i + BUNDLE_LINES]) for i in range(0, len(lines), BUNDLE_LINES)]
    return measure(lambda value: [None for _ in bundle.decode_lines(value)], values) * len(values) / len(lines)


def main() -> None:
    """Print one line per function."""
    raws = sample()
    policy = Policy()
    events = [parse_event(raw) for raw in raws]
    frames = [b'["EVENT","live",' + raw + b"]" for raw in raws]
    records = [(raw, facts(event, IdForm.NIP01, SEEN_AT_MS)) for raw, event in zip(raws, events, strict=True)]
    ids = [(event.id, event.created_at) for event in events]
    groups = [sighting.Sighting(RELAY, SEEN_AT_MS, ids[i : i + 4]) for i in range(0, len(ids), 4)]
    base = measure(orjson.loads, raws)
    figures = {
        "orjson.loads": base,
        "wire.split_event_frame": measure(split_event_frame, frames),
        "wire.open_event_frame": measure(open_event_frame, frames),
        "wire.find_id": measure(find_id, raws),
        "bundle.encode_line": measure(lambda raw: bundle.encode_line(RELAY, SEEN_AT_MS, raw), raws),
        "bundle.decode_lines, a line": measure_bundles(
            [bundle.encode_line(RELAY, SEEN_AT_MS + i, raw) for i, raw in enumerate(raws)]
        ),
        "event.parse_event": measure(parse_event, raws),
        "event_id.id_form": measure(id_form, events),
        "judge.examine": measure(lambda raw: examine(raw, policy), raws),
        "facts.facts": measure(lambda event: facts(event, IdForm.NIP01, SEEN_AT_MS), events),
        "event_record.encode": measure(lambda pair: event_record.encode(pair[0], RELAY, SEEN_AT_MS, pair[1]), records),
        "event_record.decode": measure(
            event_record.decode, [event_record.encode(raw, RELAY, SEEN_AT_MS, found) for raw, found in records]
        ),
        "sighting.encode, 4 ids": measure(lambda group: sighting.encode([group]), groups),
        "sighting.decode, 4 ids": measure(sighting.decode, [sighting.encode([group]) for group in groups]),
    }
    print(f"{len(raws)} {'real' if REAL.exists() else 'generated'} events, {sum(map(len, raws)) / len(raws):.0f} bytes")
    for name, microseconds in figures.items():
        print(f"{name:28} {microseconds:6.2f} us {microseconds / base:6.2f} of orjson.loads")


if __name__ == "__main__":
    main()
