"""Shows relays until a key, or a signal, asks for the end: `python -m tests.unit.bigbrotr.live_view.shown COUNT`.

Each relay has received one more with each snapshot. With a second argument `fails`, it ends by an exception.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from dataclasses import replace

from bigbrotr.console.display import display
from bigbrotr.supervise.stop_wish import stop_on_signals
from tests.unit.bigbrotr.live_view.snapshots import with_relays

_EVERY_S = 0.05


async def main(count: int, *, fails: bool) -> None:
    async with stop_on_signals() as wish:
        with display("Test", wish.ask) as shown:
            shown.note("a note")
            snapshot = with_relays(count)
            while not wish.asked.is_set():
                shown.update(snapshot)
                if fails:
                    raise RuntimeError("a fault")
                relays = tuple(replace(relay, received=relay.received + 1) for relay in snapshot.relays)
                snapshot = replace(snapshot, at_s=snapshot.at_s + 1, relays=relays)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(wish.asked.wait(), _EVERY_S)
            shown.stopping("stopping")
    sys.stdout.write("ended in order\n")


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), fails=sys.argv[2:] == ["fails"]))
