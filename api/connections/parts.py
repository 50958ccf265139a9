"""Cuts a message into the parts that are its frames (RFC 6455, section 5.4)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

PART_BYTES = 64 * 1024
"""With 16 KiB before it, what the buffer of a connection holds: 205 MB for 2,500 connections that read nothing. Most
events are shorter and come in one frame."""


class Part(NamedTuple):
    """One frame of a message, as views of what the message is made of."""

    pieces: Sequence[bytes | memoryview]
    is_first: bool
    is_last: bool


def parts(buffers: Sequence[bytes], part_bytes: int = PART_BYTES) -> Iterator[Part]:
    """The parts of what buffers hold together; nothing of them is copied.

    Args:
        buffers: at least one byte in all.
        part_bytes: of each part but the last.
    """
    size = sum(map(len, buffers))
    if size <= part_bytes:  # nearly all
        yield Part(buffers, is_first=True, is_last=True)
        return
    taken = 0
    pieces: list[memoryview] = []
    for buffer in buffers:
        rest = memoryview(buffer)
        while rest:
            piece = rest[: part_bytes - taken % part_bytes]
            rest = rest[len(piece) :]
            pieces.append(piece)
            taken += len(piece)
            if taken == size or taken % part_bytes == 0:
                yield Part(pieces, taken <= part_bytes, taken == size)
                pieces = []
