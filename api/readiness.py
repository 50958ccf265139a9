"""Whether the archive can be read now, for `/readyz` and `status`."""

from __future__ import annotations

import asyncio
import logging

from core import postgres
from core.archive.connection import Pool
from core.waiting import brief

logger = logging.getLogger(__name__)

_EVERY_S = 2.0
"""How late an outage shows where no client asks for anything; a question costs a millisecond."""
_SILENT_S = 5.0
"""A server that is silent for this long is away."""


class ArchiveWatch:
    """Asks the database every few seconds whether it answers.

    Args:
        pool: has a connection for this, whatever clients ask for.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.problem: str | None = None
        """Why the archive cannot be read; None while it can."""

    async def run(self) -> None:
        """Ask until cancelled.

        Raises:
            UnusableServerError: the server does not let us in any more, which waiting does not change.
        """
        while True:
            try:
                async with self._pool.acquire(timeout=_SILENT_S) as connection:
                    await connection.fetchval("SELECT 1", timeout=_SILENT_S)
            except Exception as error:
                if not postgres.is_transient(error):
                    raise
                self.problem = f"PostgreSQL does not answer: {brief(error)}"
                logger.debug("%s", self.problem)
            else:
                self.problem = None
            await asyncio.sleep(_EVERY_S)
