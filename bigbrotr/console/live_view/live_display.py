"""The live view of a run: it is drawn in place, obeys keys, and follows the size of its terminal."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Self, TextIO

from rich.console import Console, RenderableType

from bigbrotr.console.live_view import terminal
from bigbrotr.console.live_view.keys import Key, KeyReader
from bigbrotr.console.live_view.picture import View, picture
from bigbrotr.console.snapshot_view import printable
from bigbrotr.status.pace import Pace
from bigbrotr.status.snapshot import Rates, Snapshot

_KEPT_NOTES = 100  # a run of weeks may have many; the log of the supervisor has them all
_READ_BYTES = 1024  # more than a person types in the moment that a redraw takes


class LiveDisplay:
    """Shows a run on a terminal of its own. Enter it while an event loop runs, in the main thread.

    Args:
        title: of the view.
        on_quit: called when the key for it is pressed.
        file: the terminal to draw on.
        keys: the terminal to read from.
    """

    def __init__(self, title: str, on_quit: Callable[[], None], *, file: TextIO, keys: TextIO) -> None:
        self._title = title
        self._on_quit = on_quit
        self._file = file
        self._keys = keys
        self._reader = KeyReader()
        # What the terminal is was found out before.
        self._console = Console(file=file, force_terminal=True, legacy_windows=False)
        self._size = os.terminal_size((0, 0))
        self._pace = Pace()
        self._last: tuple[Snapshot, Rates, float] | None = None
        self._first = self._rows = 0
        self._with_keys = self._is_stopping = False
        self._notes: deque[str] = deque(maxlen=_KEPT_NOTES)
        self._entered = ExitStack()

    def __enter__(self) -> Self:
        loop = asyncio.get_running_loop()
        with ExitStack() as entered:
            entered.callback(self._leave_behind)
            entered.enter_context(terminal.full_screen(self._file))
            entered.enter_context(terminal.single_keys(self._keys))
            loop.add_signal_handler(signal.SIGWINCH, self._redraw)
            entered.callback(loop.remove_signal_handler, signal.SIGWINCH)
            loop.add_reader(self._keys.fileno(), self._pressed)
            entered.callback(loop.remove_reader, self._keys.fileno())
            self._entered = entered.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._entered.close()

    def update(self, snapshot: Snapshot) -> None:
        """Redraw the live view."""
        self._last = snapshot, self._pace.rates(snapshot), self._pace.uptime_s
        self._draw()

    def note(self, text: str) -> None:
        """Keep a line for the time after the live view, above the last picture."""
        self._notes.append(printable(text))

    def stopping(self, text: str) -> None:
        """Show that everything is being stopped."""
        self.note(text)
        self._is_stopping = True
        self._draw()

    def _pressed(self) -> None:
        try:
            data = os.read(self._keys.fileno(), _READ_BYTES)
        except OSError:
            data = b""
        if not data:  # the terminal is gone
            asyncio.get_running_loop().remove_reader(self._keys.fileno())
            return
        for key in self._reader.feed(data):
            self._obey(key)
        self._redraw()

    def _obey(self, key: Key) -> None:
        match key:
            case Key.QUIT:
                self._on_quit()
            case Key.HELP:
                self._with_keys = not self._with_keys
            case Key.UP:
                self._first -= 1
            case Key.DOWN:
                self._first += 1
            case Key.PAGE_UP:
                self._first -= self._rows
            case Key.PAGE_DOWN:
                self._first += self._rows
            case Key.HOME:
                self._first = 0
            case Key.END if self._last is not None:
                self._first = len(self._last[0].relays)

    def _redraw(self) -> None:
        with suppress(OSError):  # the terminal may be gone
            self._draw()

    def _draw(self) -> None:
        if self._last is None:
            return
        size = terminal.size(self._file)
        if size != self._size:
            self._size = size
            terminal.clear(self._file)
        view = View(size.columns, size.lines, self._first, self._with_keys, self._is_stopping)
        drawn = picture(*self._last, view, title=self._title)
        self._first, self._rows = drawn.first, drawn.rows
        terminal.draw(self._file, self._rendered(drawn.panel, size.columns).split("\n")[: size.lines])

    def _rendered(self, panel: RenderableType, width: int) -> str:
        with self._console.capture() as capture:
            self._console.print(panel, width=width, end="")
        return capture.get().removesuffix("\n")

    def _leave_behind(self) -> None:
        """Write to the terminal, which is as before, what happened, and the last picture."""
        with suppress(OSError):
            text = "".join(f"{note}\n" for note in self._notes)
            if self._last is not None:
                width = terminal.size(self._file).columns
                text += self._rendered(picture(*self._last, View(width), title=self._title).panel, width) + "\n"
            terminal.write(self._file, text)
