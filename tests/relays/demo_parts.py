"""The demo's relays and what fills them, each as a process of its own, as containers run them."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import orjson

RELAY = (sys.executable, "-m", "deploy.demo.relay")
FILLER = (sys.executable, "-m", "deploy.demo.filler")
END_S = 30.0  # far above what is normal: it only ends a process that hangs


class Part:
    """A running process that says JSON lines."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def line(self) -> dict[str, Any]:
        """Wait for the next line."""
        assert self._process.stdout
        said = self._process.stdout.readline()
        assert said, f"it ended with code {self._process.wait(END_S)}"
        line: dict[str, Any] = orjson.loads(said)
        return line

    def kill(self) -> None:
        """End it in a way that it cannot prepare for."""
        self._process.kill()
        self._process.wait(END_S)

    def ended(self, number: int = signal.SIGTERM) -> int:
        """Ask for its end; its exit code."""
        self._process.send_signal(number)
        return self._process.wait(END_S)

    def exit_code(self) -> int:
        """Wait for an end that was not asked for."""
        return self._process.wait(END_S)


class Relay(Part):
    """A running, empty relay on every address of this machine."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        super().__init__(process)
        self.port = urlsplit(self.line()["listening"]).port or 0
        self.url = f"ws://127.0.0.1:{self.port}"


@contextmanager
def _process(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def demo_relay(port: int = 0) -> Iterator[Relay]:
    """Run an empty relay; port 0 is a free one."""
    with _process(*RELAY, "--host", "0.0.0.0", "--port", str(port)) as process:
        yield Relay(process)


@contextmanager
def demo_filler(*urls: str, **options: float) -> Iterator[Part]:
    """Fill relays; `options` are those of the command, with underscores."""
    given = {name.replace("_", "-"): str(value) for name, value in options.items()}
    arguments = [part for name, value in given.items() for part in (f"--{name}", value)]
    with _process(*FILLER, *(part for url in urls for part in ("--url", url)), *arguments) as process:
        yield Part(process)
