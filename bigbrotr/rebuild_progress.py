"""How far a rebuild is, on stderr: a bar with rate and time left on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn

_LINE_EVERY_S = 5.0  # a log stays readable, and whoever watches it sees that something moves


class RebuildProgress:
    """Shows how many records of how many are done; a context manager.

    Args:
        what: is being done.
        unit: what is counted.
    """

    def __init__(self, what: str = "rebuilding", unit: str = "records") -> None:
        self._what = what
        self._unit = unit
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[text]}"),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=Console(file=sys.stderr),
            disable=not sys.stderr.isatty(),
        )
        self._task: TaskID | None = None
        self._began_s = time.monotonic()
        self._next_line_s = time.monotonic() + _LINE_EVERY_S

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def note(self, text: str) -> None:
        """Tell one thing that a person should know."""
        self._bar.console.print(text, markup=False, highlight=False)

    def progress(self, done: int, total: int) -> None:
        """Show that so many of the records are done."""
        now = time.monotonic()
        if not done:
            self._began_s = now
        rate = done / max(0.001, now - self._began_s)  # a first moment of no time is no division by zero
        text = f"{done:,} of {total:,} {self._unit}, {rate:,.0f}/s"
        if self._task is None:
            self._task = self._bar.add_task(self._what, total=total, text=text)
        self._bar.update(self._task, completed=done, total=total, text=text)
        if self._bar.disable and now >= self._next_line_s:
            self._next_line_s = now + _LINE_EVERY_S
            left = f", {(total - done) / rate:,.0f} s left" if rate else ""
            self._bar.console.print(f"{self._what}: {text}{left}", markup=False, highlight=False)
