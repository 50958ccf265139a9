"""Where the embedded servers keep what they need: one data directory, and a cache that all of them share."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

KAFKA_VERSION = "4.3.1"
PRIVATE = 0o700
"""For folders with data or secrets: entered by their owner alone."""


def cache_root() -> Path:
    """The folder for what can be fetched again; `BIGBROTR_CACHE_DIR` overrides the user's cache folder."""
    if override := os.environ.get("BIGBROTR_CACHE_DIR"):
        return Path(override).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "bigbrotr"
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG base directory specification: relative paths are invalid and to be ignored.
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "bigbrotr"


def jar_cache() -> Path:
    """The folder of Kafka's jars and of the archives of their classes, shared by every data directory of this user."""
    return cache_root() / f"kafka-{KAFKA_VERSION}"


@dataclass(frozen=True)
class DataPaths:
    """The files of one embedded stack below its data directory."""

    root: Path

    @classmethod
    def of(cls, data_dir: Path) -> DataPaths:
        """The paths below a data directory, absolute, so that a process with another working directory finds them."""
        return cls(Path(data_dir).expanduser().resolve())

    @property
    def kafka(self) -> Path:
        """Kafka's log directory."""
        return self.root / "kafka"

    @property
    def postgres(self) -> Path:
        """PostgreSQL's data directory."""
        return self.root / "postgres"

    @property
    def run(self) -> Path:
        """Locks, state, settings, passwords and logs of the stack; nothing in it is data."""
        return self.root / "embedded"

    def make(self) -> None:
        """Make the folders, and close to others what holds data or passwords; an earlier version left Kafka's open.

        The data directory itself may be one that the user shares, and PostgreSQL closes its own.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        self.run.mkdir(mode=PRIVATE, exist_ok=True)
        for folder in (self.run, self.kafka):
            if folder.exists():
                folder.chmod(PRIVATE)
