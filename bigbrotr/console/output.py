"""The options -o and --force: output to stdout, or to a file that is renamed to its name once it is complete."""

from __future__ import annotations

import functools
import gzip
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import click
import zstandard

from bigbrotr.console.termination import removed_at_termination
from bigbrotr.errors import CommandFailedError
from core.files import replacing, temporary_beside

_GZIP_LEVEL = 6  # gzip's own default: 9 takes three times as long for a hundredth of the size
_ZSTD_LEVEL = 3  # zstd's own default

Write = Callable[[bytes], None]
"""Writes all of some bytes."""
Command = Callable[..., None]


def output_options(command: Command) -> Command:
    """Give a command the options -o and --force; it gets `output`, the file to write or None for stdout.

    The file is checked before the command begins: servers may take minutes to start, and an export hours.
    """

    @click.option(
        "-o",
        "--output",
        metavar="FILE",
        type=click.Path(path_type=Path, allow_dash=True),
        help="Write to a file, compressed if its name ends in .gz or .zst. It appears when it is whole.  "
        "[default: stdout]",
    )
    @click.option("--force", is_flag=True, help="Let -o replace a file that is there.")
    @functools.wraps(command)
    def checked(*args: Any, output: Path | None, force: bool, **kwargs: Any) -> None:
        path = None if output is None or str(output) == "-" else output
        if path is not None and (fault := _fault(path, force=force)) is not None:
            raise click.BadParameter(f"{path}: {fault}", param_hint="-o")
        command(*args, output=path, **kwargs)

    return checked


def _fault(path: Path, *, force: bool) -> str | None:
    """Say what stands against writing a file, and the remedy; None where nothing does."""
    try:
        if path.is_dir():
            return "is a folder: name a file in it"
        target = path.resolve()
        if target.exists() and not target.is_file():  # such as a named pipe, which is written to as it is
            return None if os.access(target, os.W_OK) else "cannot be written to: Permission denied"
        if target.is_file() and not force:
            return "exists already: name another file, or replace this one by --force"
        if not target.parent.is_dir():
            return f"{target.parent} is no folder: make it, or name a file elsewhere"
        # Only the attempt tells of rights, full disks, and names that are too long.
        temporary = temporary_beside(target)
        temporary.touch()
        temporary.unlink()
    except OSError as error:
        return f"cannot be written: {error.strerror}"
    except RuntimeError:  # how Python before 3.13 tells it
        return "cannot be written: a loop of symbolic links"
    return None


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
