"""Shows snapshots: as a live view on a terminal, as a plain line every few seconds elsewhere."""

from __future__ import annotations

import datetime as dt
import os
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self, TextIO

from bigbrotr.console.live_view.live_display import LiveDisplay
from bigbrotr.console.live_view.terminal import is_drawable
from bigbrotr.console.snapshot_view import plain_line, printable
from bigbrotr.status.pace import Pace
from bigbrotr.status.snapshot import Snapshot

_LINE_EVERY_S = 5.0  # readable in a log, and soon enough for its reader


class Display(Protocol):
    """Where a running pipeline is shown."""

    def update(self, snapshot: Snapshot) -> None:
        """Show a new snapshot."""

    def note(self, text: str) -> None:
        """Write a notice."""

    def stopping(self, text: str) -> None:
        """Show that everything is being stopped, and in which order."""

    def __enter__(self) -> Self:
        """Begin to show."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the terminal as it was."""


class PlainDisplay:
    """Lines with the time, one every few seconds."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._pace = Pace()
        self._next_at_s = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.flush()

    def update(self, snapshot: Snapshot) -> None:
        """Write a line, if the last one is old enough."""
        rate = self._pace.rates(snapshot)
        if snapshot.at_s >= self._next_at_s:
            self._next_at_s = snapshot.at_s + _LINE_EVERY_S
            self.note(plain_line(snapshot, rate, self._pace.uptime_s))

    def note(self, text: str) -> None:
        """Write a line."""
        now = dt.datetime.now(dt.UTC).strftime("%H:%M:%S")
        self._file.write(f"{now} {printable(text)}\n")
        self._file.flush()

    def stopping(self, text: str) -> None:
        """Write a line."""
        self.note(text)


def display(
    title: str, on_quit: Callable[[], None], *, file: TextIO | None = None, keys: TextIO | None = None
) -> Display:
    """Choose the live view where there is a terminal to draw on and one to read keys from, else plain lines.

    Args:
        title: of the live view.
        on_quit: called when its key to quit is pressed.
        file: where it is shown; stdout unless given.
        keys: where keys come from; stdin unless given.
    """
    file = sys.stdout if file is None else file
    keys = sys.stdin if keys is None else keys
    if keys is not None and is_drawable(file, keys, os.environ.get("TERM", "")):
        return LiveDisplay(title, on_quit, file=file, keys=keys)
    return PlainDisplay(file)
