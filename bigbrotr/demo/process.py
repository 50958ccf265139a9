"""The child process of the demo's relays: started, its output read, asked to end its trickle, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bigbrotr.errors import CommandFailedError
from bigbrotr.supervise.bounded_log import BoundedLog

_MODULE = "deploy.demo.relays"
_LINE_BYTES = 1024 * 1024  # a report names each relay and a few refusals: some kilobytes
_END_S = 3.0  # it has nothing to save
_SAID_BYTES = 2000
_COPIES = 2.4  # most events at several relays, some at one alone: what deduplication has to do among real ones


@dataclass(frozen=True)
class Offer:
    """What the relays reported as accepted: the archive must hold exactly this. Digests as in `schemas.digest`."""

    urls: tuple[str, ...]
    events: int
    pairs: int
    per_relay: dict[str, int]
    refused: int
    events_digest: str
    pairs_digest: str

    @classmethod
    def from_report(cls, report: dict[str, Any]) -> Offer:
        """Read a line of the relays' process."""
        return cls(
            urls=tuple(report["urls"]),
            events=report["events"],
            pairs=report["pairs"],
            per_relay=dict(report["per_relay"]),
            refused=report["refused"],
            events_digest=report["digest"]["events"],
            pairs_digest=report["digest"]["pairs"],
        )


def arguments(*, relays: int, named: bool = False, **options: float | None) -> list[str]:
    """Spell out what the relays are to hold for their process; options that are None are left to it.

    Args:
        relays: how many.
        named: whether each is to hold events that name the next.
        **options: more options of the process.
    """
    filled = {"relays": relays, "copies": min(_COPIES, relays), **options}
    given = {name: value for name, value in filled.items() if value is not None}
    spelled = [part for name, value in given.items() for part in (f"--{name.replace('_', '-')}", str(value))]
    return [*spelled, "--named"] if named else spelled


class DemoRelays:
    """The running relays; made by `start`."""

    def __init__(self, process: asyncio.subprocess.Process, log: BoundedLog) -> None:
        self._process = process
        self._log = log
        self._said = asyncio.create_task(self._keep_errors())

    @classmethod
    async def start(cls, logs_dir: Path, arguments: list[str]) -> DemoRelays:
        """Start the process; `arguments` are those of the module."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # no module of the folder that the user is in
            "-m",
            _MODULE,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=_LINE_BYTES,
            start_new_session=True,
        )
        return cls(process, BoundedLog(logs_dir / "relays.log"))

    async def report(self) -> Offer:
        """Wait for the next report: the first when the stored events are there, the second when the trickle has ended.

        Raises:
            CommandFailedError: the process ended instead.
        """
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            code = await self._process.wait()
            said = (await self._said).decode("utf-8", "replace").strip()
            raise CommandFailedError(f"the demo relays ended with exit code {code}: {said}")
        return Offer.from_report(json.loads(line))

    def end_trickle(self) -> None:
        """Ask for the end of new events; the second report follows."""
        assert self._process.stdin is not None
        with contextlib.suppress(ConnectionError):
            self._process.stdin.write(b"end\n")

    async def stop(self) -> None:
        """End the process."""
        if self._process.returncode is None:
            assert self._process.stdin is not None
            self._process.stdin.close()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), _END_S)
        if self._process.returncode is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            await self._process.wait()

    async def _keep_errors(self) -> bytes:
        assert self._process.stderr is not None
        last = b""
        while chunk := await self._process.stderr.read(65536):
            self._log.write(chunk)
            last = (last + chunk)[-_SAID_BYTES:]
        return last
