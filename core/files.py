"""Atomic file writes: another process may read at any moment and never sees a half-written file."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

_PRIVATE_MODE = 0o600
"""Read and written by the owner alone."""
_USUAL_MODE = 0o666
"""Less what the process's umask takes away, as `open` has it."""


def temporary_beside(path: Path) -> Path:
    """The name under which this process writes what will replace `path`: in the same folder, hidden from patterns."""
    return path.with_name(f".{path.name}.{os.getpid()}.part")


@contextmanager
def replacing(path: Path, *, private: bool = False, durable: bool = False) -> Iterator[BinaryIO]:
    """Open a file that takes the place of `path` when the block ends well, and is removed when it does not.

    Args:
        path: a file, or the name of one that there is not yet; a link is replaced, not what it names.
        private: let only its owner read it.
        durable: have it on disk before it has its name.

    Raises:
        OSError: it cannot be written.
    """
    temporary = temporary_beside(path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    descriptor = os.open(temporary, flags, _PRIVATE_MODE if private else _USUAL_MODE)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_whole(path: Path, text: str, *, private: bool = False) -> None:
    """Replace a small file in one step; raises OSError."""
    with replacing(path, private=private) as file:
        file.write(text.encode())


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file; empty where there is none, or where a crash left something else."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
