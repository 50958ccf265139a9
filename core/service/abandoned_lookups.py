"""Keeps a loop from reporting look-ups of host names that failed after their connection had been given up.

uvloop does not cancel the look-up of a connection whose time is over, and leaves its failure in a future that has no
reader. Where containers stop, names go with them: an outage of a minute would write a traceback every few seconds.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Any

logger = logging.getLogger(__name__)


def pass_over_abandoned_lookups(loop: asyncio.AbstractEventLoop) -> None:
    """Log at debug level the failed look-ups that nothing waits for; all else is reported as loops do by default."""
    loop.set_exception_handler(_handle)


def _handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error, future = context.get("exception"), context.get("future")
    # A task is work of ours: what it raises is never passed over.
    if isinstance(error, socket.gaierror) and future is not None and not isinstance(future, asyncio.Task):
        logger.debug("a look-up that was given up has failed: %s", error)
        return
    loop.default_exception_handler(context)
