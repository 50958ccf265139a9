"""Progress of long work, on stderr: a bar with a rate on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from producers.files.import_report import ImportReport

_LINE_EVERY_S = 5.0  # a log stays readable, and its reader sees progress


class StepProgress:
    """Shows one step after the other, each from its first word on."""

    def __init__(self) -> None:
        self._bar = Progress(
            TextColumn("{task.description:<9}"),
            BarColumn(),
            TextColumn("{task.fields[text]}"),
            TimeElapsedColumn(),
            console=Console(file=sys.stderr),
            disable=not sys.stderr.isatty(),
        )
        self._steps: dict[str, TaskID] = {}
        self._next_line_s = time.monotonic() + _LINE_EVERY_S

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def note(self, text: str) -> None:
        """Write a notice."""
        self._bar.console.print(text, markup=False, highlight=False)

    def show(self, step: str, done: int, total: int | None, text: str) -> None:
        """Show how much of a step is done; `total` is None where it is unknown."""
        if step not in self._steps:
            self._steps[step] = self._bar.add_task(step, total=total, text=text)
        self._bar.update(self._steps[step], completed=done, total=total, text=text)
        if self._bar.disable and time.monotonic() >= self._next_line_s:
            self._next_line_s = time.monotonic() + _LINE_EVERY_S
            share = f" {100 * done // total} %" if total else ""
            self._bar.console.print(f"{step}{share}: {text}", markup=False, highlight=False)


class CountProgress(StepProgress):
    """Shows how many of how many are done, at which rate, and the time left.

    Args:
        what: is being done.
        unit: what is counted.
    """

    def __init__(self, what: str, unit: str) -> None:
        super().__init__()
        self._what = what
        self._unit = unit
        self._began_s = time.monotonic()

    def progress(self, done: int, total: int) -> None:
        """Show that so many of all are done."""
        now_s = time.monotonic()
        if not done:
            self._began_s = now_s
        rate = done / max(0.001, now_s - self._began_s)  # a first moment of no time is no division by zero
        left = f", {(total - done) / rate:,.0f} s left" if rate and done < total else ""
        self.show(self._what, done, total, f"{done:,} of {total:,} {self._unit}, {rate:,.0f}/s{left}")


class ImportProgress(StepProgress):
    """Shows the steps of an import: reading, validating, archiving.

    Args:
        size_bytes: of the file; None where it is not known, as for a pipe.

    Attributes:
        report: what is read and sent by now.
    """

    def __init__(self, size_bytes: int | None) -> None:
        super().__init__()
        self._size_bytes = size_bytes
        self.report = ImportReport()

    def read(self, report: ImportReport) -> None:
        """Show how much of the file is read, and keep the report, which grows."""
        self.report = report
        rate = report.lines / report.seconds if report.seconds else 0.0
        self.show("reading", report.read_bytes, self._size_bytes, f"{report.lines:,} lines, {rate:,.0f}/s")

    def left(self, step: str, done: int, total: int) -> None:
        """Show how many events a service is done with."""
        if total:
            self.show(step, done, total, f"{done:,} of {total:,} events")
