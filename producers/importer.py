"""Files of events into `raw.bundles`, as if a relay had sent them: the processor judges them like all others."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from core.kafka import open_publisher
from core.settings import Settings
from producers.bundler import Bundler
from producers.lines import LONGEST_LINE, Line, read_lines
from producers.outbox import Outbox
from producers.rejecting import Rejections
from producers.targets import full_name, partition_count
from schemas.reasons import EventError, Reason
from schemas.wire import find_id

STAGE = "import"
_LINES_A_TURN = 500
"""Read and bundled before other tasks have their turn: about ten milliseconds."""
_BUNDLE_AGE_MS = 500
"""A file has no reader that waits for its next line; full bundles are cheaper."""


@dataclass(slots=True)
class ImportReport:
    """What became of a file.

    Attributes:
        lines: lines that are not blank.
        bundled: of those, how many are in `raw.bundles` now.
        refused: the others, by reason; they are in `rejections`.
        offsets: by partition of `raw.bundles`, the offsets of the records that were written, in order. Outputs and
            rejections of the processor name them as their source.
        read_bytes: of the file, compressed or not.
        seconds: how long it took.
    """

    lines: int = 0
    bundled: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    offsets: dict[int, list[int]] = field(default_factory=dict)
    read_bytes: int = 0
    seconds: float = 0.0


Progress = Callable[[ImportReport], None]


async def import_lines(
    settings: Settings, source: Path | None, *, relay: str | None = None, progress: Progress | None = None
) -> ImportReport:
    """Write a JSONL file, plain, gzip or zstd, into `raw.bundles`; returns when Kafka has acknowledged all of it.

    Args:
        settings: say where Kafka is.
        source: the file; None for standard input.
        relay: normalised URL of the relay that the file came from; None: no sightings will be known.
        progress: called with the growing report, every few milliseconds of work.

    Raises:
        OSError: the file cannot be read.
        LinesError: it is damaged; what came before is imported and acknowledged.
    """
    publisher = await open_publisher(settings)
    try:
        bundles, rejections = full_name(settings, "raw.bundles"), full_name(settings, "rejections")
        outbox = Outbox(publisher, settings.connector.in_flight_bytes)
        sending = asyncio.create_task(outbox.run())
        report = ImportReport()
        bundler = Bundler(
            outbox,
            bundles,
            await partition_count(publisher, bundles),
            lines=settings.connector.bundle_lines,
            max_bytes=settings.connector.bundle_bytes,
            age_ms=_BUNDLE_AGE_MS,
            acknowledged=lambda partition, offset: report.offsets.setdefault(partition, []).append(offset),
        )
        refusing = Rejections(outbox, rejections, await partition_count(publisher, rejections), STAGE)
        try:
            await _import(read_lines(source), outbox, bundler, refusing, relay, report, progress)
        finally:
            await bundler.flushed()
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
        if progress is not None:
            progress(report)
        return report
    finally:
        await publisher.close()


async def _import(
    lines: Iterator[Line],
    outbox: Outbox,
    bundler: Bundler,
    refusing: Rejections,
    relay: str | None,
    report: ImportReport,
    progress: Progress | None,
) -> None:
    began = time.monotonic()
    # Reading blocks where the file is a pipe: in a thread, so that what was read is sent meanwhile.
    while turn := await asyncio.to_thread(_next_lines, lines):
        seen_at_ms = time.time_ns() // 1_000_000
        for line in turn:
            report.lines += 1
            try:
                _bundle(bundler, relay, seen_at_ms, line)
                report.bundled += 1
            except EventError as error:
                report.refused[error.reason] += 1
                detail = f"line {line.number}: {error.detail}"
                refusing.put(
                    error.reason, line.raw, seen_at_ms=seen_at_ms, relay=relay, field=error.field, detail=detail
                )
        report.read_bytes = turn[-1].position
        report.seconds = time.monotonic() - began
        if progress is not None:
            progress(report)
        await outbox.room()


def _next_lines(lines: Iterator[Line]) -> list[Line]:
    """Some lines, as many as a turn takes or a bundle's worth of bytes holds."""
    turn: list[Line] = []
    size = 0
    for line in lines:
        turn.append(line)
        size += len(line.raw)
        if len(turn) >= _LINES_A_TURN or size >= LONGEST_LINE:
            break
    return turn


def _bundle(bundler: Bundler, relay: str | None, seen_at_ms: int, line: Line) -> None:
    if not line.whole:
        raise EventError(Reason.TOO_LARGE, None, f"the line is longer than {LONGEST_LINE} bytes")
    event_id = find_id(line.raw)
    if event_id is None:
        if _is_object(line.raw):
            raise EventError(Reason.NO_ID, "id", "is missing or not 64 lower-case hex digits")
        raise EventError(Reason.NOT_JSON, None, "is not one JSON object")
    bundler.add(relay, seen_at_ms, line.raw, event_id)


def _is_object(raw: bytes) -> bool:
    try:
        return isinstance(orjson.loads(raw), dict)
    except orjson.JSONDecodeError:
        return False
