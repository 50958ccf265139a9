"""A relay as a child process that says what it does in lines of JSON, and the lines that it has said."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson

from tests.relays.piped import piped

_END_S = 10.0
"""For a child that was told to end; it has nothing to save."""


class Child:
    """A running child. `said` grows by its lines; `urls` are those of its first one."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout
        self.pid = process.pid
        self.said: list[dict[str, Any]] = []
        self._lines = process.stdout
        first = self._lines.readline()
        assert first, f"{process.args!r} ended with code {process.wait()}"
        self.urls: list[str] = orjson.loads(first)["urls"]
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self._lines:
            self.said.append(orjson.loads(line))


@contextmanager
def child(module: str, *arguments: object, package: str = "tests.bench.hostile") -> Iterator[Child]:
    """Run a module of a package until the block is left."""
    command = [sys.executable, "-m", f"{package}.{module}", *map(str, arguments)]
    with piped(command, _END_S) as process:
        yield Child(process)


def tell(line: dict[str, Any]) -> None:
    """Say a line, as the child."""
    sys.stdout.buffer.write(orjson.dumps(line) + b"\n")
    sys.stdout.buffer.flush()
