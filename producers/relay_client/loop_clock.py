"""The time that passes in an event loop: what a wait in it is measured by."""

from __future__ import annotations

import asyncio

GRAIN_S = 0.01
"""Clocks of event loops have a grain: a wait may end so much too early, and one for less before any time has passed."""


def loop_s() -> float:
    """Seconds, monotonic, of the running loop; in a test's loop they may pass as fast as they can."""
    return asyncio.get_running_loop().time()
