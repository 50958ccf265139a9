"""A hostile relay as a process of its own: `python -m tests.bench.hostile.hostile_relay NAME LIMIT_S LOAD_S`.

Its first line names its URLs, and a line each second says what it has done. It ends at the end of its standard input,
and by itself after LIMIT_S. LOAD_S is for how long it shall have something new to send.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress
from dataclasses import asdict

from core.parent import ParentPipe
from tests.bench.hostile.child import tell
from tests.bench.hostile.loads import LOADS
from tests.relays.flooder import flooder

_TELL_S = 1.0
"""As exact as a rate over minutes needs it."""


async def _run(name: str, limit_s: float, load_s: float) -> None:
    parent, load = ParentPipe(), LOADS[name]
    async with flooder(load.attack(load_s), load.hosts, load.paths) as running:
        tell({"urls": running.urls})
        with suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                while not parent.closed.is_set():
                    tell(asdict(running.account))
                    await asyncio.sleep(_TELL_S)


if __name__ == "__main__":
    asyncio.run(_run(sys.argv[1], *map(float, sys.argv[2:])))
