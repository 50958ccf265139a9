"""Where a command writes what may be large: stdout, or a file that has its name only once it is whole."""

from __future__ import annotations

import gzip
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, Protocol

import zstandard

_GZIP_LEVEL = 6  # gzip's own default: 9 takes three times as long for a hundredth of the size
_ZSTD_LEVEL = 3  # zstd's own default


class Sink(Protocol):
    """What bytes can be written to."""

    def write(self, data: bytes, /) -> object:
        """Write all of the bytes."""


@contextmanager
def opened_output(path: Path | None) -> Iterator[Sink]:
    """Open stdout (None) or a file for the length of a block; `.gz` and `.zst` in its name compress.

    What is written goes to a temporary file beside it, which takes the name when the block ends well and is removed
    when it does not. What is there and is no file, such as a named pipe, is written to as it is.

    Raises:
        OSError: it cannot be written.
    """
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    target = path.resolve()  # the file that a link names is replaced, not the link
    if target.exists() and not target.is_file():
        with target.open("wb") as file, _compressing(file, target.suffix) as sink:
            yield sink
        return
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with temporary.open("wb") as file:
            with _compressing(file, target.suffix) as sink:
                yield sink
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def _compressing(file: BinaryIO, suffix: str) -> Iterator[Sink]:
    with ExitStack() as stack:
        if suffix == ".gz":
            # Without a time in it, equal contents are equal files.
            yield stack.enter_context(gzip.GzipFile("", "wb", _GZIP_LEVEL, file, mtime=0))
        elif suffix == ".zst":
            compressor = zstandard.ZstdCompressor(_ZSTD_LEVEL, write_checksum=True)
            yield stack.enter_context(compressor.stream_writer(file, closefd=False))
        else:
            yield file
