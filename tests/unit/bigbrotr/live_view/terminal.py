"""A program on a terminal of its own: a real pseudo-terminal, what it shows by pyte."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pyte

from tests.waiting import wait_until

# A program gets SIGWINCH and SIGINT from the terminal that controls its session.
_SESSION_LEADER = """
import fcntl, os, sys, termios
fcntl.ioctl(1, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


class Terminal:
    """One that a program runs on, which it may read and write as a person does."""

    def __init__(self, columns: int, lines: int) -> None:
        self._controller, self._terminal = os.openpty()
        os.set_blocking(self._controller, False)
        self.written = b""
        self._screen = pyte.Screen(columns, lines)
        self._stream = pyte.ByteStream(self._screen)
        termios.tcsetwinsize(self._terminal, (lines, columns))
        self.mode = self.modes()

    def modes(self) -> list[object]:
        """What the terminal does with keys."""
        return termios.tcgetattr(self._terminal)

    @contextmanager
    def running(
        self, *arguments: str, stdin: int | None = None, term: str = "xterm-256color"
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Run a module of ours on it, as the leader of a session."""
        process = subprocess.Popen(
            [sys.executable, "-c", _SESSION_LEADER, sys.executable, "-m", *arguments],
            stdin=self._terminal if stdin is None else stdin,
            stdout=self._terminal,
            stderr=self._terminal,
            start_new_session=True,
            env={**os.environ, "TERM": term},
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    def press(self, keys: bytes) -> None:
        """Type."""
        os.write(self._controller, keys)

    def resize(self, columns: int, lines: int) -> None:
        """Make the window larger or smaller, at which the program gets SIGWINCH."""
        self._read()
        self._screen.resize(lines, columns)
        termios.tcsetwinsize(self._controller, (lines, columns))

    def lines(self) -> list[str]:
        """What is seen now."""
        self._read()
        return list(self._screen.display)

    def wait_for(self, *texts: str) -> list[str]:
        """Wait until all of these texts are seen; all lines then."""
        return self.wait_until(lambda lines: all(text in "\n".join(lines) for text in texts))

    def wait_until(self, condition: Callable[[list[str]], bool]) -> list[str]:
        """Wait until what is seen is as it should be; all lines then."""
        wait_until(lambda: condition(self.lines()), lambda: "what should be seen in\n" + "\n".join(self.lines()))
        return self.lines()

    def wait_for_end(self, process: subprocess.Popen[bytes]) -> int:
        """Read until a program has ended; its exit code."""

        def ended() -> bool:
            self._read()
            return process.poll() is not None

        wait_until(ended, lambda: f"the end, after {self.lines()}")
        self._read()
        return process.returncode

    def close(self) -> None:
        """Let it go."""
        os.close(self._controller)
        os.close(self._terminal)

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._controller, 65_536):
                self.written += data
                self._stream.feed(data)
