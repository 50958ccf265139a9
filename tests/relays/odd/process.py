"""The odd relays as a child process of a test."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson

from core.parent import PARENT_VARIABLE

COMMAND = (sys.executable, "-m", "tests.relays.odd")
_ANSWER_S = 30.0
_END_S = 30.0


class OddProcess:
    """Running relays; `urls` are as announced, by name."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout
        line = process.stdout.readline()
        assert line, f"the odd relays ended with code {process.wait()}"
        told = orjson.loads(line)
        self._control = told["control"]
        self.urls: dict[str, str] = {name: each["url"] for name, each in told["relays"].items()}

    def account(self) -> dict[str, dict[str, Any]]:
        """Return everything, by relay; see `OddRelay.as_json` and `Account`."""
        return self._ask("account")

    def missing(self) -> dict[str, list[tuple[int, float]]]:
        """Return `created_at` and the time of storing of what was never given, by relay."""
        return {name: [(at, stored_s) for at, stored_s in events] for name, events in self._ask("missing").items()}

    def _ask(self, what: str) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self._control}/{what}", timeout=_ANSWER_S) as answer:
            return dict(orjson.loads(answer.read()))


@contextmanager
def odd_relays(*names: str, whole: bool = False) -> Iterator[OddProcess]:
    """Run relays, all unless named."""
    command = (*COMMAND, *(("--whole",) if whole else ()), *names)
    environment = {**os.environ, PARENT_VARIABLE: str(os.getpid())}
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=environment) as process:
        try:
            yield OddProcess(process)
        finally:
            process.terminate()
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                process.kill()
