"""All that may pause the reading of one relay, as one: send buffer, due verdicts, the processor's lag, quota."""

from __future__ import annotations

from producers.connector.reading.pacing import Window
from producers.connector.reading.quota import Quota
from producers.connector.reading.relay_judge import RelayJudge
from producers.relay_client.connection import Backpressure


class ReadingLimits:
    """One relay, over all of its connections: the `Backpressure` of its client, told of each copy that is taken."""

    def __init__(self, send_buffer: Backpressure, judge: RelayJudge, window: Window, quota: Quota) -> None:
        """Pause while one of them is full."""
        self.judge = judge
        self.quota = quota
        self._window = window
        self._all: tuple[Backpressure, ...] = (send_buffer, judge, window, quota)

    def taken(self, event: bytes) -> None:
        """Count a copy that was put into a bundle, and judge it if it is chosen."""
        self._window.sent += 1
        self.quota.taken()
        self.judge.take(event)

    @property
    def full(self) -> bool:
        """Whether nothing more is to be read."""
        return any(each.full for each in self._all)

    async def room(self) -> None:
        """Wait until reading may go on.

        Raises:
            RelayError: the relay went beyond what it may cost.
            Exception: what failed the send buffer.
        """
        while self.full:
            for each in self._all:
                await each.room()
