"""Tunes Python's cyclic garbage collector for streaming: collections are rarer and skip what existed at the start."""

from __future__ import annotations

import asyncio
import gc
import time

_THRESHOLDS = (50_000, 20, 20)
"""A bundle or a batch of decoded events is thousands of objects: collect the young generation after some ten of them
(the default is 700 objects), the older ones after 20 and 400 of those collections."""
_EVERY_S = 10.0
"""By count alone, cycles that hold large buffers (ended connections did) filled gigabytes before the oldest generation
was looked at: few objects, many bytes. Ended conversations leave some kilobytes each, and there may be 150 a second."""
_LEAST_RATIO = 200
"""A collection stops everything for 100 ms per million objects: it takes one part in so many of the time at most."""


def settle() -> None:
    """Exempt what exists after the start from collection, and collect the rest less often.

    Decoded events hold no cycles, so reference counting frees them. Without this a tenth of the processor's time went
    into looking at what never becomes garbage.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)


async def settle_and_collect(every_s: float = _EVERY_S) -> None:
    """Settle, and collect all generations every ten seconds, until cancelled."""
    settle()
    wait_s = every_s
    while True:
        await asyncio.sleep(wait_s)
        began_s = time.perf_counter()
        gc.collect()
        wait_s = max(every_s, _LEAST_RATIO * (time.perf_counter() - began_s))
