"""A file that holds no text, or text in another encoding, is named by its first bytes, with what to convert it by."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from producers.files.event_lines import EventLines, UnreadableFormatError, check_format
from producers.files.file_format import Format, format_of

TEXT = b'{"id":"1"}\n{"id":"2"}\n'


def tarred(data: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        member = tarfile.TarInfo("events.jsonl")
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return packed.getvalue()


def zipped(data: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("events.jsonl", data)
    return packed.getvalue()


def encoded(encoding: str) -> Callable[[bytes], bytes]:
    return lambda data: data.decode().encode(encoding)


PACKINGS: dict[str, tuple[Callable[[bytes], bytes], str, str]] = {
    "bzip2": (bz2.compress, "bzip2 data", "bzip2 -dc FILE"),
    "xz": (lzma.compress, "xz data", "xz -dc FILE"),
    "lzma": (
        lambda data: lzma.compress(data, format=lzma.FORMAT_ALONE),
        "lzma data",
        "xz --format=lzma -dc FILE",
    ),
    "zip": (zipped, "a zip archive", "unzip -p FILE"),
    "tar": (tarred, "a tar archive", "tar -xOf FILE"),
    "tar.gz": (
        lambda data: gzip.compress(tarred(data)),
        "a tar archive inside gzip data",
        "gzip -dc FILE | tar -xOf -",
    ),
    "UTF-16 with a mark": (encoded("utf-16"), "text in UTF-16", "iconv -f UTF-16 -t UTF-8 FILE"),
    "UTF-32 with a mark": (encoded("utf-32"), "text in UTF-32", "iconv -f UTF-32 -t UTF-8 FILE"),
    "UTF-16LE": (encoded("utf-16-le"), "text in UTF-16", "iconv -f UTF-16LE -t UTF-8 FILE"),
    "UTF-16BE": (encoded("utf-16-be"), "text in UTF-16", "iconv -f UTF-16BE -t UTF-8 FILE"),
    "UTF-32LE": (encoded("utf-32-le"), "text in UTF-32", "iconv -f UTF-32LE -t UTF-8 FILE"),
    "UTF-32BE": (encoded("utf-32-be"), "text in UTF-32", "iconv -f UTF-32BE -t UTF-8 FILE"),
    "UTF-16 in zstd": (
        lambda data: zstandard.compress(encoded("utf-16")(data)),
        "text in UTF-16 inside zstd data",
        "zstd -dc FILE | iconv -f UTF-16 -t UTF-8 -",
    ),
    "gzip twice": (
        lambda data: gzip.compress(gzip.compress(data)),
        "gzip data inside gzip data",
        "gzip -dc FILE | gzip -dc -",
    ),
}


@pytest.mark.parametrize("packing", PACKINGS)
def test_what_is_not_read_is_named_with_the_command_that_converts_it(packing: str, tmp_path: Path) -> None:
    pack, name, convert = PACKINGS[packing]
    file = tmp_path / "events.jsonl"
    file.write_bytes(pack(TEXT))
    said = f"is {name}, which is not read as it is; convert it first: `{convert} > TEXT`, or a pipe"
    with pytest.raises(UnreadableFormatError) as error:
        check_format(file)
    assert str(error.value) == said
    with file.open("rb") as opened, pytest.raises(UnreadableFormatError) as error:
        next(iter(EventLines(opened)))
    assert str(error.value) == said
    program = convert.split()[0]
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed, so that its command cannot be tried")
    command = convert.replace("FILE", str(file))
    assert subprocess.run(["sh", "-c", command], capture_output=True, timeout=60, check=True).stdout == TEXT


@pytest.mark.parametrize(
    "head",
    [
        *(b"", b"{", b"[", b"\n", b'{"id":', b"[\n", b"wss://a.example\n", b"\xef\xbb\xbf{", b"BZ", b"\xff\xfd"),
        *('"é"'.encode(), b"\0\0\0\0", b"a\0", b"\x1f", b"PK", b"x" * 257 + b"usta"),
    ],
)
def test_text_is_not_taken_for_something_else(head: bytes, tmp_path: Path) -> None:
    assert format_of(head) is None
    file = tmp_path / "text"
    file.write_bytes(head)
    check_format(file)


def test_a_broken_file_is_left_to_be_read_as_far_as_it_goes(tmp_path: Path) -> None:
    for name, data in (("a.gz", b"\x1f\x8b"), ("b.gz", b"\x1f\x8bgarbage"), ("c.zst", b"\x28\xb5\x2f\xfd\xff\xff")):
        (tmp_path / name).write_bytes(data)
        check_format(tmp_path / name)


def test_a_form_inside_another_is_converted_by_both() -> None:
    outer, inner = Format("a", "un-a FILE"), Format("b", "un-b -x FILE")
    assert inner.inside(outer) == Format("b inside a", "un-a FILE | un-b -x -")
