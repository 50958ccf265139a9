"""An honest relay as a process of its own: `python -m tests.bench.hostile.honest_relay RATE LIMIT_S`.

Its first line names its URL, and each further one an event that it has sent: id, time, and when it was due by the
monotonic clock of the machine. Due, and not sent: a client that takes nothing must not make the delay look shorter.
The events are signed ahead. It ends at the end of its standard input, and by itself after LIMIT_S.
"""

from __future__ import annotations

import asyncio
import sys
import time
from contextlib import suppress

from websockets.exceptions import ConnectionClosed

from core.parent import ParentPipe
from tests.bench.hostile.child import tell
from tests.relays.hostile import Event, Hostile, honest, say
from tests.relays.liars import written

AUTHOR = 1
"""None of those whose events hostile relays send."""
_POLL_S = 0.05
"""For the first subscription, once."""


async def _run(rate: float, limit_s: float) -> None:
    parent, now_s = ParentPipe(), int(time.time())
    events = [written(now_s + int(number / rate), 1, AUTHOR, number) for number in range(int(rate * limit_s))]
    stored: list[Event] = []
    async with Hostile(events=stored, answer=honest) as relay:
        tell({"urls": [relay.url]})
        with suppress(TimeoutError):
            async with asyncio.timeout(limit_s):
                while not relay.live and not parent.closed.is_set():  # noqa: ASYNC110 - nothing announces it
                    await asyncio.sleep(_POLL_S)
                sending = asyncio.create_task(_send(relay, stored, events, rate))
                await parent.closed.wait()
                sending.cancel()


async def _send(relay: Hostile, stored: list[Event], events: list[Event], rate: float) -> None:
    began = time.monotonic()
    for number, event in enumerate(events):
        due = began + number / rate
        await asyncio.sleep(due - time.monotonic())
        stored.append(event)
        for subscription in list(relay.live):
            websocket, subid = subscription
            try:
                await say(websocket, "EVENT", subid, event)
            except ConnectionClosed:
                relay.live.remove(subscription)
        tell({"id": event["id"], "created_at": event["created_at"], "due": due})


if __name__ == "__main__":
    asyncio.run(_run(*map(float, sys.argv[1:])))
