"""From `raw.bundles` to the topics that others read, on a real Kafka."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.settings import Settings
from schemas.reasons import Reason
from schemas.records.bundle import HeldLine, encode_held_line
from schemas.records.event_record import decode
from tests.broker.processors.harness import (
    Line,
    all_committed,
    bundles,
    event_bytes,
    line,
    processor,
    produce,
    records,
    rejected,
    sighted,
)
from tests.unit.processors.material import (
    event,
    forged_content,
    forged_signature,
    other_bytes,
    other_signature,
    wire,
)
from tests.waiting import until

pytestmark = pytest.mark.broker


async def test_events_go_through_byte_exact_once_with_all_sightings(
    ours: Settings, stream: list[Line], tmp_path: Path
) -> None:
    made = bundles(stream, ours.kafka.partitions, size=50)
    await produce(ours, made)
    with processor(ours, tmp_path) as process:
        await all_committed(ours, made)

        def done() -> tuple[object, ...]:
            details = process.details()
            return tuple(details.get(key) for key in ("bundles_done", "bundles_in_flight", "bytes_in_flight"))

        await until(lambda: done() == (len(made), 0, 0), lambda: f"all is done, nothing in flight: {done()}")
        assert await process.stop() == 0, process.log()
    found = await records(ours, "events")
    assert len(found) == len({record.key for record in found}) == len({event_id for event_id, _ in stream})
    for record in found:
        text = decode(record.value)
        assert (record.key.hex(), text.relay) == (text.event.id, "wss://r0.example")
        # The verbatim bytes are those of a line that was sent.
        assert b'"event":' + text.raw + b"}\n" in dict(stream)[text.event.id]
    assert await sighted(ours) == {
        (event_id, f"wss://r{relay}.example") for event_id, _ in stream for relay in range(2)
    }
    assert await rejected(ours) == []


async def test_a_forged_copy_first_keeps_no_event_out_and_every_refusal_says_why(
    ours: Settings, tmp_path: Path
) -> None:
    genuine, strange = event("genuine"), event("strange", created_at=2**41)
    bad_signature, bad_content = wire(forged_signature(genuine)), wire(forged_content(genuine))
    auth = event("auth", kind=22242)
    steps: list[Line] = [
        line(genuine.id, bad_signature, "wss://forger.example", 1),
        line(genuine.id, bad_content, "wss://forger.example", 2),
        line(genuine.id, wire(genuine), "wss://honest.example", 3),
        line(genuine.id, bad_signature, "wss://forger.example", 4),
        line(genuine.id, other_bytes(genuine), "wss://other.example", 5),
        line(genuine.id, wire(other_signature(genuine)), "wss://third.example", 6),
        line(strange.id, wire(strange), "wss://honest.example", 7),
        line(auth.id, wire(auth), "wss://honest.example", 8),
        (genuine.id, b'no "bundle line"\n'),
        (genuine.id, b"\xff\x00\n"),
        (genuine.id, encode_held_line(HeldLine("wss://compared.example", 9, genuine.id, genuine.created_at))),
    ]
    made = bundles(steps, ours.kafka.partitions, size=1)
    await produce(ours, made)
    with processor(ours, tmp_path) as process:
        await all_committed(ours, made)
        assert await process.stop() == 0, process.log()
    assert await event_bytes(ours) == {genuine.id: wire(genuine)}
    assert await sighted(ours) == {
        (genuine.id, f"wss://{name}.example") for name in ("honest", "other", "third", "compared")
    }
    refused = await rejected(ours)
    assert sorted((item.reason, value) for item, value in refused) == sorted(
        [
            (Reason.BAD_SIGNATURE, bad_signature),
            (Reason.BAD_SIGNATURE, bad_signature),
            (Reason.ID_MISMATCH, bad_content),
            (Reason.KIND_NOT_ARCHIVED, wire(auth)),
            (Reason.BAD_BUNDLE, b'no "bundle line"'),
            (Reason.BAD_BUNDLE, b"\xff\x00"),
        ]
    )
    first = next(item for item, value in refused if value == bad_content)
    assert (first.stage, first.relay, first.seen_at_ms, first.source_offset) == (
        "validate",
        "wss://forger.example",
        2,
        1,
    )
    kept = await rejected(ours, "quarantine")
    assert [(item.reason, value) for item, value in kept] == [(Reason.CREATED_AT_OUT_OF_RANGE, wire(strange))]
