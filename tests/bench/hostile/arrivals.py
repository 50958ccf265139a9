"""When each honest event was due at its relay, and when its row was seen: the archive is looked at again and again."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from core.settings.model import Settings
from tests.bench.hostile.child import Child
from tests.pipeline.world import connect

_POLL_S = 0.05
"""What a delay may be too long by; a look costs the server a few milliseconds."""
_REST = 4
"""After a look that took longer the rest is so many times as long: looking must not be a load of its own."""
_QUERY = "SELECT encode(id, 'hex') AS id FROM events WHERE created_at = ANY($1) AND id = ANY($2)"


@dataclass
class Arrivals:
    """What became of each event that a relay sent: when it was due and when its row was seen, monotonic seconds."""

    due: dict[str, float] = field(default_factory=dict)
    seen: dict[str, float] = field(default_factory=dict)

    async def follow(self, settings: Settings, relay: Child) -> None:
        """Look for what the relay has sent, until cancelled."""
        connection = await connect(settings)
        pending: dict[str, int] = {}
        read = 0
        try:
            while True:
                began = time.monotonic()
                said = relay.said[read:]
                read += len(said)
                self.due |= {line["id"]: line["due"] for line in said}
                pending |= {line["id"]: line["created_at"] for line in said}
                rows = await connection.fetch(
                    _QUERY, list(set(pending.values())), [bytes.fromhex(id_) for id_ in pending]
                )
                now = time.monotonic()
                for row in rows:
                    self.seen[row["id"]] = now
                    del pending[row["id"]]
                await asyncio.sleep(max(_POLL_S, _REST * (now - began)))
        finally:
            await connection.close()

    def delays_s(self, began: float, ended: float) -> tuple[list[float], int]:
        """The delays of the events that were due in this time, and how many of them were not seen.

        What was not seen counts with the time that it has waited until now.
        """
        now = time.monotonic()
        chosen = [(id_, due) for id_, due in self.due.items() if began <= due < ended]
        missing = sum(1 for id_, _ in chosen if id_ not in self.seen)
        return [self.seen.get(id_, now) - due for id_, due in chosen], missing
