"""The demo's relays as a child process: filled LocalRelay instances, and the account of what they offer."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson

from tests.relays.piped import piped

COMMAND = (sys.executable, "-m", "deploy.demo.relays")
END_S = 60.0


class DemoProcess:
    """Running relays. `offer` is the latest account (see `deploy.demo.offer`); `pid` is for measurements."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.pid = process.pid
        self.offer = self._account("ready")

    @property
    def urls(self) -> list[str]:
        """The relays' URLs, as they are spelled on every topic."""
        return list(self.offer["urls"])

    def end_trickle(self) -> dict[str, Any]:
        """Have the relays publish nothing more; return what they have offered in all. They go on serving."""
        assert self._process.stdin
        self._process.stdin.write(b"\n")
        self._process.stdin.flush()
        return self.trickle_ended()

    def trickle_ended(self) -> dict[str, Any]:
        """Wait until the trickle has ended by itself; return what was offered in all."""
        self.offer = self._account("ended")
        return self.offer

    def _account(self, kind: str) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, f"the demo relays ended with code {self._process.wait()}"
        account: dict[str, Any] = orjson.loads(line)
        assert account[kind]
        assert account["refused"] == 0, account["refusals"]
        return account


@contextmanager
def demo_relays(*flags: str, **options: float) -> Iterator[DemoProcess]:
    """Run filled relays; `options` are those of the command, with underscores. No copy may be refused."""
    arguments = [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    with piped([*COMMAND, *flags, *arguments], END_S) as process:
        yield DemoProcess(process)
