"""Logs once a minute what a service has done meanwhile, by its metrics."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping

from core import metrics

logger = logging.getLogger(__name__)

EVERY_S = 60.0
"""A day is 1,440 lines of a hundred bytes: a person sees what a service does, and no log fills."""
_COUNTER = "_total"


class Progress:
    """Figures since the last time, by the words that a log has for them.

    Args:
        shown: the metric of each word. Of counters the difference is given, of gauges the value.
        values: gives all metrics, summed over their labels.
    """

    def __init__(self, shown: Mapping[str, str], values: Callable[[], Mapping[str, float]] = metrics.values) -> None:
        self._shown = shown
        self._values = values
        self._last = dict(values())

    def take(self) -> dict[str, int]:
        """Give the figures, and begin anew."""
        now = dict(self._values())
        figures = {}
        for word, name in self._shown.items():
            before = self._last.get(name, 0.0) if name.endswith(_COUNTER) else 0.0
            figures[word] = round(now.get(name, 0.0) - before)
        self._last = now
        return figures


async def log_progress(shown: Mapping[str, str], every_s: float = EVERY_S) -> None:
    """Log it until cancelled."""
    progress = Progress(shown)
    while True:
        await asyncio.sleep(every_s)
        logger.info("in the last %.0f s:", every_s, extra=progress.take())
