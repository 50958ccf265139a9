"""Services that are started again when they end, as systemd or Compose would do it."""

from __future__ import annotations

import logging
from typing import NamedTuple

from core.settings.model import Settings
from tests.pipeline.services import Services

log = logging.getLogger(__name__)

# More than any storm of the tests brings: a service that ends again and again is broken.
MOST_ENDS = 20


class End(NamedTuple):
    """A service that ended by itself: its exit code (negative: a signal), and what it said last."""

    name: str
    code: int
    words: str


class Supervised(Services):
    """Keeps the services of one world up. `ends` are those that were neither killed nor told to stop."""

    def __init__(self, settings: Settings, **extra_env: str) -> None:
        super().__init__(settings, **extra_env)
        self.ends: list[End] = []

    def check(self) -> None:
        """Start again what has ended by itself, and note it."""
        for name, process in list(self._running.items()):
            if process.poll() is not None:
                self.ends.append(End(name, process.returncode, self.tail(name)))
                log.warning(
                    "%s ended by itself with code %d and is started again:\n%s",
                    name,
                    process.returncode,
                    self.tail(name),
                )
                assert len(self.ends) < MOST_ENDS, f"{len(self.ends)} ends:\n{self.tail(name)}"
                self.start(name)
