"""Output of commands that may be large: stdout, or a file that is renamed to its name once it is complete."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO

import zstandard

from bigbrotr.console.termination import removed_at_termination
from bigbrotr.errors import CommandFailedError
from core.files import replacing, temporary_beside

_GZIP_LEVEL = 6  # gzip's own default: 9 takes three times as long for a hundredth of the size
_ZSTD_LEVEL = 3  # zstd's own default

Write = Callable[[bytes], None]
"""Writes all of some bytes."""


@contextmanager
def opened_output(path: Path | None) -> Iterator[Write]:
    """Open stdout (None) or a file for the length of a block; `.gz` and `.zst` in its name compress.

    What is written goes to a temporary file beside it, which takes the name when the block ends well and is removed
    when it does not. What is there and is no file, such as a named pipe, is written to as it is.

    Raises:
        CommandFailedError: it cannot be written, as where the disk is full.
        BrokenPipeError: the reader has closed the pipe.
    """
    if path is None:
        with _explained("stdout"):
            yield _checked(sys.stdout.buffer, "stdout")
            sys.stdout.buffer.flush()
        return
    target = path.resolve()  # the file that a link names is replaced, not the link
    with _explained(str(path)):
        if target.exists() and not target.is_file():
            with target.open("wb") as file, _compressing(file, target.suffix) as packed:
                yield _checked(packed, str(path))
            return
        remove = partial(temporary_beside(target).unlink, missing_ok=True)
        with (
            removed_at_termination(remove),
            replacing(target, durable=True) as fresh,
            _compressing(fresh, target.suffix) as packed,
        ):
            yield _checked(packed, str(path))


@contextmanager
def _compressing(file: BinaryIO, suffix: str) -> Iterator[BinaryIO]:
    if suffix == ".gz":
        # Without a time in it, equal contents are equal files.
        with gzip.GzipFile("", "wb", _GZIP_LEVEL, file, mtime=0) as packed:
            yield packed  # type: ignore[misc]  # typeshed has it as a stream of another family
    elif suffix == ".zst":
        compressor = zstandard.ZstdCompressor(_ZSTD_LEVEL, write_checksum=True)
        with compressor.stream_writer(file, closefd=False) as packed:
            yield packed
    else:
        yield file


def _checked(file: BinaryIO, name: str) -> Write:
    """Distinguish errors of the output from those of the servers where they are raised."""

    def write(data: bytes) -> None:
        with _explained(name):
            file.write(data)

    return write


@contextmanager
def _explained(name: str) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise CommandFailedError(f"{name}: cannot be written: {error.strerror}") from None
