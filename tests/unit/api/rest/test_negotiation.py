"""What is given to clients by their Accept headers, and what those who have it already are told."""

from __future__ import annotations

import zlib
from random import Random

import pytest
import zstandard

from api.rest.http.accept import media_type
from api.rest.http.caching import etag, is_known
from api.rest.http.compression import Coding, Compressor, choose, compressed

OFFERED = ("application/json", "application/x-ndjson")


@pytest.mark.parametrize(
    ("header", "given"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("application/*", "application/json"),
        ("application/x-ndjson", "application/x-ndjson"),
        ("Application/X-NDJSON; charset=utf-8", "application/x-ndjson"),
        ("application/x-ndjson, application/json", "application/json"),
        ("application/x-ndjson, application/json;q=0.9", "application/x-ndjson"),
        ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "application/json"),
        ("application/json;q=0, */*;q=0.1", "application/x-ndjson"),
        ("text/html", None),
        ("application/json;q=0", None),
        ("application/json;q=nonsense", None),
        ("application/json;q=nan", None),
        (", ,;q=1,", "application/json"),
    ],
)
def test_media_type(header: str, given: str | None) -> None:
    assert media_type(header, OFFERED) == given


@pytest.mark.parametrize(
    ("header", "coding"),
    [
        ("", None),
        ("identity", None),
        ("gzip", "gzip"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("gzip;q=1.0, zstd;q=0.5", "gzip"),
        ("gzip;q=0, zstd;q=0", None),
        ("identity;q=0.5, gzip;q=0.2", None),
        ("identity;q=0.2, gzip;q=0.5", "gzip"),
        ("*", "zstd"),
        ("*;q=0.1, zstd;q=0", "gzip"),
        ("br", None),
    ],
)
def test_choose(header: str, coding: Coding | None) -> None:
    assert choose(header) == coding


def decompressed(data: bytes, coding: Coding) -> bytes:
    if coding == "gzip":
        return zlib.decompress(data, 16 + zlib.MAX_WBITS)
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
@pytest.mark.parametrize("size", [2000, 300_000])
async def test_compressed(coding: Coding, size: int) -> None:
    body = Random(1).randbytes(size // 2).hex().encode()
    data, taken = await compressed(body, coding)
    assert taken == coding
    assert len(data) < 0.6 * len(body)
    assert decompressed(data, coding) == body


async def test_what_is_short_stays_as_it_is() -> None:
    assert await compressed(b"{}", "zstd") == (b"{}", None)
    assert await compressed(b"x" * 5000, None) == (b"x" * 5000, None)


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
async def test_each_part_can_be_read_as_it_comes(coding: Coding) -> None:
    compressor = Compressor(coding)
    reader = (
        zlib.decompressobj(16 + zlib.MAX_WBITS) if coding == "gzip" else zstandard.ZstdDecompressor().decompressobj()
    )
    for part in (b"first\n", b"second\n" * 100_000):
        assert reader.decompress(await compressor.part(part)) == part
    reader.decompress(await compressor.part(b"", is_last=True))
    assert reader.eof


@pytest.mark.parametrize(
    ("if_none_match", "known"),
    [
        ("", False),
        ("*", True),
        ('"ab12"', True),
        ('"ab12-zstd"', True),
        ('W/"ab12-gzip"', True),
        ('"cd34", "ab12"', True),
        ('"ab123"', False),
        ("ab12", False),
    ],
)
def test_is_known(if_none_match: str, known: bool) -> None:
    assert is_known("ab12", if_none_match) is known


def test_each_coding_has_an_etag_of_its_own() -> None:
    assert {etag("ab", None), etag("ab", "gzip"), etag("ab", "zstd")} == {'"ab"', '"ab-gzip"', '"ab-zstd"'}
