"""What a status says of this machine: its embedded servers, and the disk of the data directory."""

from __future__ import annotations

import shutil
from pathlib import Path


def server_notes(data_dir: Path) -> dict[str, str]:
    """Give what the guard of the embedded servers says of each: its restarts, or why it ended."""
    from deploy.embedded import stack  # noqa: PLC0415 - as in `bigbrotr.servers`

    return stack.server_notes(data_dir)


def disk(data_dir: Path, database_bytes: int | None) -> dict[str, int]:
    """Give the free bytes of the disk of a data directory, and those of the database where they are known."""
    found = next((path for path in (data_dir, *data_dir.parents) if path.exists()), None)
    usage = {} if found is None else {"free_bytes": shutil.disk_usage(found).free}
    return usage if database_bytes is None else {**usage, "database_bytes": database_bytes}
