"""Files of events into `raw.bundles`, as if a relay had sent them: the processor validates them like all others."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

from core.kafka import Publisher, publishing
from core.settings import Settings
from core.tasks import running
from producers.bundler import Bundler
from producers.files.event_lines import DamagedFileError, EventLines, Line
from producers.files.import_report import ImportReport, Progress
from producers.files.line_copy import read_line
from producers.rejecting import Rejections
from producers.send_buffer import SendBuffer
from producers.targets import full_name
from schemas.reasons import EventError
from schemas.topics import RAW_LIMIT_BYTES

STAGE = "import"
_LINES_A_TURN = 500
"""Read and bundled before other tasks have their turn: about ten milliseconds."""
_BYTES_A_TURN = 2 * RAW_LIMIT_BYTES
"""Likewise, where lines are long."""
_BUNDLE_AGE_MS = 500
"""A file has no reader that waits for its next line; full bundles are cheaper."""


async def import_lines(
    settings: Settings, source: Path | None, *, relay: str | None = None, progress: Progress | None = None
) -> ImportReport:
    """Write a file of events into `raw.bundles`; returns when Kafka has acknowledged all of it.

    The file is JSONL or a JSON array, plain, gzip or zstd.

    Args:
        settings: say where Kafka is.
        source: the file; None for standard input.
        relay: normalised URL of the relay that the file came from; lines that name one themselves are of that one.
            None: of other lines no sightings will be known.
        progress: called with the growing report, every few milliseconds of work.

    Raises:
        OSError: the file cannot be read.
        UnreadableFormatError: it is no such file; nothing is imported.
        DamagedFileError: it is damaged or cut off; what came before is imported and acknowledged.
        PublishError: Kafka refused a record for good.
    """
    with source.open("rb") if source is not None else nullcontext(sys.stdin.buffer) as file:
        async with publishing(settings) as publisher:
            run = _Import(settings, publisher, relay, progress)
            await run.read(EventLines(file))
        return run.report


class _Import:
    """One run of an import."""

    def __init__(self, settings: Settings, publisher: Publisher, relay: str | None, progress: Progress | None) -> None:
        self.report = ImportReport()
        self._settings = settings
        self._publisher = publisher
        self._relay = relay
        self._progress = progress
        self._send_buffer = SendBuffer(publisher, settings.connector.in_flight_bytes)

    async def read(self, lines: EventLines) -> None:
        bundles = full_name(self._settings, "raw.bundles")
        rejections = full_name(self._settings, "rejections")
        bundler = Bundler(
            self._send_buffer,
            bundles,
            await self._publisher.partition_count(bundles),
            lines=self._settings.connector.bundle_lines,
            max_bytes=self._settings.connector.bundle_bytes,
            age_ms=_BUNDLE_AGE_MS,
            acknowledged=self._acknowledged,
        )
        refusing = Rejections(self._send_buffer, rejections, await self._publisher.partition_count(rejections), STAGE)
        async with running(self._send_buffer.run()):
            try:
                await self._read(lines, bundler, refusing)
            finally:
                await bundler.flushed()
                self._tell()

    async def _read(self, lines: EventLines, bundler: Bundler, refusing: Rejections) -> None:
        began = time.monotonic()
        unread = iter(lines)
        damage: Exception | None = None
        while damage is None:
            # Reading blocks where the file is a pipe: in a thread, so that what was read is sent meanwhile.
            turn, damage = await asyncio.to_thread(_next_lines, unread)
            if not turn:
                break
            for line in turn:
                self._take(line, bundler, refusing)
            self.report.read_bytes = lines.read_bytes
            self.report.seconds = time.monotonic() - began
            self._tell()
            await self._send_buffer.room()
        if damage is not None:
            raise damage

    def _take(self, line: Line, bundler: Bundler, refusing: Rejections) -> None:
        report = self.report
        report.lines += 1
        seen_at_ms = time.time_ns() // 1_000_000
        try:
            copy, event_id = read_line(line, self._relay, seen_at_ms)
            bundler.add(copy.relay, copy.seen_at_ms, copy.event, event_id)
            report.bundled += 1
        except EventError as error:
            report.refused[error.reason] += 1
            refusing.put(
                error.reason,
                line.raw,
                seen_at_ms=seen_at_ms,
                relay=self._relay,
                field=error.field,
                detail=f"{line.what} {line.number}: {error.detail}",
            )

    def _acknowledged(self, partition: int, offset: int, lines: int) -> None:
        self.report.bundles.setdefault(partition, {})[offset] = lines
        self.report.sent += lines

    def _tell(self) -> None:
        if self._progress is not None:
            self._progress(self.report)


def _next_lines(lines: Iterator[Line]) -> tuple[list[Line], Exception | None]:
    """Some lines, as many as a turn takes, and what ended the file too early, if anything did."""
    turn: list[Line] = []
    size = 0
    try:
        for line in lines:
            turn.append(line)
            size += len(line.raw)
            if len(turn) >= _LINES_A_TURN or size >= _BYTES_A_TURN:
                break
    except (DamagedFileError, OSError) as damage:
        return turn, damage
    return turn, None
