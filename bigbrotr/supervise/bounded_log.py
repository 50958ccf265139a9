"""Log files of bounded size: each is rotated when it is full, and one older part is kept."""

from __future__ import annotations

import io
import logging
from pathlib import Path

from core import log
from core.settings import Settings

LOG_MAX_BYTES = 10 * 1024 * 1024  # about 80,000 lines; with the older part, 20 MiB a service at most


class BoundedLog:
    """Appends bytes to `path`; a full file becomes `path.1` and replaces the one before.

    A disk that is full or gone costs log lines and nothing else: `write` never raises, it counts what it `lost_bytes`.
    """

    def __init__(self, path: Path, max_bytes: int = LOG_MAX_BYTES) -> None:
        self.path = path
        self.lost_bytes = 0
        self._max_bytes = max_bytes

    def write(self, data: bytes) -> None:
        """Append `data`, after moving a full file aside."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self.path.exists() and self.path.stat().st_size + len(data) > self._max_bytes:
                self.path.replace(self.path.with_name(self.path.name + ".1"))
            with self.path.open("ab") as file:
                file.write(data)
        except OSError:
            self.lost_bytes += len(data)


class _LogStream(io.TextIOBase):
    """A log file of bounded size as a stream for the `logging` module."""

    def __init__(self, path: Path) -> None:
        self._log = BoundedLog(path)

    def write(self, text: str) -> int:
        self._log.write(text.encode("utf-8", "backslashreplace"))
        return len(text)


def log_to_file(settings: Settings) -> None:
    """Keep this process's log out of the live view, in `logs/supervisor.log` of the data directory."""
    log.configure(settings, "supervisor")
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.StreamHandler):
            handler.setStream(_LogStream(settings.data_dir / "logs" / "supervisor.log"))
