"""A service that behaves as its first argument says; the lifecycle's tests run it as a process of its own."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from core.service import Service, UndrainedError, run_service
from core.settings import SettingsError, load_settings
from core.waiting import waiting_for

FOREVER_S = 3600.0
DOES_NOT_END = {
    "closes without end",
    "leaves a thread",
    "leaves a stubborn task",
    "fails in its tick and will not be cancelled",
}


class Probe(Service):
    name = "probe"

    def __init__(self, behaviour: str) -> None:
        super().__init__(load_settings())
        self.behaviour = behaviour
        self.draining = asyncio.Event()
        self.ticks = 0

    async def start(self) -> None:
        self.resources.push_async_callback(self.closed)
        await self.resources.enter_async_context(told("pool"))
        if self.behaviour == "fails to start":
            raise RuntimeError("no start today")
        if self.behaviour == "finds its settings unusable":
            raise SettingsError("postgres.dsn names a server that cannot be used: name another")
        if self.behaviour.startswith("has a background task"):
            self.spawn(self.background_work(), "figures")
        if self.behaviour == "has a background task that fails in start":
            await asyncio.sleep(FOREVER_S)
        if self.behaviour == "waits in start":
            with waiting_for("a server that never comes"):
                await asyncio.sleep(FOREVER_S)

    async def run(self) -> None:
        match self.behaviour:
            case "fails":
                raise RuntimeError("broken state")
            case "fails in its tick":
                await asyncio.sleep(FOREVER_S)
            case "fails in its tick and will not be cancelled":
                await stubborn()
            case "ends by itself":
                return
            case "is cancelled by something else":
                raise asyncio.CancelledError
            case "blocks the loop":
                await asyncio.sleep(0.1)
                time.sleep(FOREVER_S)  # noqa: ASYNC251 - the fault that is tested
            case "leaves a thread":
                threading.Thread(target=time.sleep, args=(FOREVER_S,), name="left behind").start()
            case "leaves a stubborn task":
                self.task = asyncio.create_task(stubborn())
        await self.stopping.wait()

    async def background_work(self) -> None:
        match self.behaviour.removeprefix("has a background task that "):
            case "fails in start":
                raise RuntimeError("broken figures")
            case "fails in run":
                await asyncio.sleep(0.1)
                raise RuntimeError("broken figures")
            case "fails in the drain":
                await self.draining.wait()
                raise RuntimeError("broken figures")
            case "ends by itself":
                return
        async with told("figures"):
            await asyncio.sleep(FOREVER_S)

    async def drain(self) -> None:
        self.draining.set()
        if self.behaviour == "has a background task that fails in the drain":
            await asyncio.sleep(FOREVER_S)
        if self.behaviour == "drains without end":
            await asyncio.sleep(FOREVER_S)
        if self.behaviour == "drains in part":
            raise UndrainedError("a batch was not taken")
        if self.behaviour == "fails to drain":
            raise RuntimeError("could not record what was done")

    async def closed(self) -> None:
        tell("closed")
        if self.behaviour == "fails to close":
            raise RuntimeError("could not close")
        if self.behaviour == "closes without end":
            await asyncio.sleep(FOREVER_S)

    def ready(self) -> str | None:
        return "it does not want to" if self.behaviour == "is not ready" else None

    def status(self) -> dict[str, object]:
        return {"ticks": self.ticks}

    def tick(self) -> None:
        self.ticks += 1
        if self.behaviour.startswith("fails in its tick"):
            raise RuntimeError("a broken gauge")


def tell(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


@asynccontextmanager
async def told(name: str) -> AsyncIterator[None]:
    """Something that says when it has ended."""
    try:
        yield
    finally:
        tell(f"{name} ended")


async def stubborn() -> None:
    while True:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(FOREVER_S)


if __name__ == "__main__":
    # Deadlines of seconds would make the tests as slow as they are; what matters is that there is one.
    probe = Probe(sys.argv[1])
    sys.exit(run_service(probe, close_s=0.5, exit_s=0.5) if probe.behaviour in DOES_NOT_END else run_service(probe))
