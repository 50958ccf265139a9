"""Compression of answers by gzip and zstd, as clients accept it (RFC 9110, 12.5.3)."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable
from typing import Literal

import zstandard

from api.rest.http.accept import weights

Coding = Literal["zstd", "gzip"]

_LEVELS: dict[Coding, int] = {"zstd": 3, "gzip": 1}
"""The quickest that are worth it: ids, keys and signatures, most of an event, halve at any level."""
_GZIP = 16 + zlib.MAX_WBITS
_LEAST_BYTES = 1000
"""Less fits into one packet in any case."""
_LONG_BYTES = 128 * 1024
"""More would keep other requests waiting for milliseconds: it is compressed in a thread."""


def choose(accept_encoding: str) -> Coding | None:
    """The coding that an Accept-Encoding header prefers; None: the body as it is."""
    accepted = weights(accept_encoding)
    rest = accepted.get("*", 0.0)
    codings: tuple[Coding, ...] = ("zstd", "gzip")
    best = max(codings, key=lambda each: accepted.get(each, rest))
    weight = accepted.get(best, rest)
    return best if weight > 0 and weight >= accepted.get("identity", 0.0) else None


class Compressor:
    """Compresses a body that comes in parts; each part can be read by itself."""

    def __init__(self, coding: Coding) -> None:
        self.coding = coding
        self._compress: Callable[[bytes], bytes]
        self._flush: Callable[[int], bytes]
        if coding == "gzip":
            gzip = zlib.compressobj(_LEVELS[coding], zlib.DEFLATED, _GZIP)
            self._compress, self._flush, self._modes = gzip.compress, gzip.flush, (zlib.Z_SYNC_FLUSH, zlib.Z_FINISH)
        else:
            zstd = zstandard.ZstdCompressor(_LEVELS[coding]).compressobj()
            self._compress, self._flush = zstd.compress, zstd.flush
            self._modes = (zstandard.COMPRESSOBJ_FLUSH_BLOCK, zstandard.COMPRESSOBJ_FLUSH_FINISH)

    async def part(self, data: bytes, *, is_last: bool = False) -> bytes:
        """Compress one part."""
        if len(data) > _LONG_BYTES:
            return await asyncio.to_thread(self._part, data, is_last)
        return self._part(data, is_last)

    def _part(self, data: bytes, is_last: bool) -> bytes:  # noqa: FBT001 - to_thread takes positions
        return self._compress(data) + self._flush(self._modes[is_last])


async def compressed(data: bytes, coding: Coding | None) -> tuple[bytes, Coding | None]:
    """A whole body in a coding, or as it is where compression is not worth it; and the coding that was taken."""
    if coding is None or len(data) < _LEAST_BYTES:
        return data, None
    return await Compressor(coding).part(data, is_last=True), coding
