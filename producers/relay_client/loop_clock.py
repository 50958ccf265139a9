"""The time that passes in an event loop: what a wait in it is measured by."""

from __future__ import annotations

import asyncio


def loop_s() -> float:
    """Seconds, monotonic, of the running loop; in a test's loop they may pass as fast as they can."""
    return asyncio.get_running_loop().time()
