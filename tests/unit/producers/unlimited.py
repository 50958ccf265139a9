"""Back-pressure that never is."""

from __future__ import annotations


class Unlimited:
    """Never has reading rest."""

    full = False

    async def room(self) -> None:
        """Fail: it is waited for only where `full` was met."""
        raise AssertionError("nothing asked for a pause")
