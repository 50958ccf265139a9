"""A child process that ends when its standard input does, and says what it has to say on its standard output."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


@contextmanager
def piped(command: Sequence[str], end_s: float) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command until the block is left; it is killed where it does not end in so many seconds after that."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            assert process.stdin
            process.stdin.close()
            try:
                process.wait(end_s)
            except subprocess.TimeoutExpired:
                process.kill()
