"""Shows snapshots: as a live view on a terminal, as a plain line every few seconds elsewhere."""

from __future__ import annotations

import datetime as dt
import sys
import termios
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import TracebackType
from typing import IO, Protocol, Self, TextIO

from rich.console import Console
from rich.live import Live

from bigbrotr.console.snapshot_view import picture, plain_line
from bigbrotr.status.snapshot import Rates, Snapshot, rates

_LINE_EVERY_S = 5.0  # readable in a log, and soon enough for its reader
_RATE_OVER_S = 5.0  # shorter and the figures jump with each batch of the sink


class Display(Protocol):
    """Where a running pipeline is shown."""

    def update(self, snapshot: Snapshot) -> None:
        """Show a new snapshot."""

    def note(self, text: str) -> None:
        """Write a notice."""

    def __enter__(self) -> Self:
        """Begin to show."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the terminal as it was."""


class _Pace:
    """Rates over the last seconds, from the snapshots that come by."""

    def __init__(self) -> None:
        self._kept: list[Snapshot] = []

    def rates(self, snapshot: Snapshot) -> Rates:
        """The rates from the oldest kept snapshot to this one."""
        self._kept = [kept for kept in self._kept if snapshot.at_s - kept.at_s <= _RATE_OVER_S]
        before = self._kept[0] if self._kept else None
        self._kept.append(snapshot)
        return rates(before, snapshot)


@contextmanager
def _no_echo(file: IO[str]) -> Iterator[None]:
    """Keep a terminal from writing keys, `^C` among them, into the live view: the next one would be a line too low."""
    if not file.isatty():
        yield
        return
    before = termios.tcgetattr(file)
    quiet = [*before[:3], before[3] & ~termios.ECHO, *before[4:]]
    termios.tcsetattr(file, termios.TCSADRAIN, quiet)
    try:
        yield
    finally:
        with suppress(termios.error):  # the terminal may be gone
            termios.tcsetattr(file, termios.TCSADRAIN, before)


class LiveDisplay:
    """A live view that is redrawn in place."""

    def __init__(self, console: Console, title: str) -> None:
        self._live = Live(console=console, auto_refresh=False, transient=False)
        self._title = title
        self._pace = _Pace()
        self._terminal = ExitStack()

    def __enter__(self) -> Self:
        self._terminal.enter_context(_no_echo(self._live.console.file))
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._terminal:
            self._live.stop()

    def update(self, snapshot: Snapshot) -> None:
        """Redraw the live view."""
        self._live.update(picture(snapshot, self._pace.rates(snapshot), title=self._title), refresh=True)

    def note(self, text: str) -> None:
        """Write a line above the live view."""
        self._live.console.print(text, markup=False, highlight=False)


class PlainDisplay:
    """Lines with the time, one every few seconds."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._pace = _Pace()
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
            self.note(plain_line(snapshot, rate))

    def note(self, text: str) -> None:
        """Write a line."""
        now = dt.datetime.now(dt.UTC).strftime("%H:%M:%S")
        self._file.write(f"{now} {text}\n")
        self._file.flush()


def display(title: str, *, file: TextIO | None = None) -> LiveDisplay | PlainDisplay:
    """Choose by where the output goes; `file` is stdout unless given."""
    file = sys.stdout if file is None else file
    if file.isatty():
        return LiveDisplay(Console(file=file), title)
    return PlainDisplay(file)
