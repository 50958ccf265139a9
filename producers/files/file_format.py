"""Detects the format of a file (compression, encoding) by its first bytes; its name does not matter."""

from __future__ import annotations

from typing import NamedTuple

GZIP_MAGIC = b"\x1f\x8b"  # RFC 1952 section 2.3.1
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"  # RFC 8878 section 3.1.1
_ZSTD_SKIPPABLE = b"\x2a\x4d\x18"  # RFC 8878 section 3.1.2: preceded by 0x50 to 0x5f
HEAD_BYTES = 512
"""Tar's mark stands behind byte 257 of a header of this size; all others are in the first bytes."""
_TAR_MARK, _TAR_MARK_AT = b"ustar", 257


class Format(NamedTuple):
    """A form in which text may be packed: its name, and a command that writes the text of FILE."""

    name: str
    command: str

    def inside(self, outer: Format) -> Format:
        """This, packed in another one."""
        return Format(f"{self.name} inside {outer.name}", f"{outer.command} | {self.command.replace('FILE', '-')}")


GZIP = Format("gzip data", "gzip -dc FILE")
ZSTD = Format("zstd data", "zstd -dc FILE")
_TAR = Format("a tar archive", "tar -xOf FILE")
_MAGICS = (
    (GZIP_MAGIC, GZIP),
    (ZSTD_MAGIC, ZSTD),
    (b"BZh", Format("bzip2 data", "bzip2 -dc FILE")),
    (b"\xfd7zXZ\x00", Format("xz data", "xz -dc FILE")),
    (b"\x5d\x00\x00", Format("lzma data", "xz --format=lzma -dc FILE")),
    (b"\x04\x22\x4d\x18", Format("lz4 data", "lz4 -dc FILE")),
    (b"\x1f\x9d", Format("data of compress (.Z)", "gzip -dc FILE")),
    (b"PK\x03\x04", Format("a zip archive", "unzip -p FILE")),
    (b"7z\xbc\xaf\x27\x1c", Format("a 7z archive", "7z x -so FILE")),
    # The marks of UTF-32 first: that of UTF-16 is the beginning of one.
    (b"\xff\xfe\x00\x00", Format("text in UTF-32", "iconv -f UTF-32 -t UTF-8 FILE")),
    (b"\x00\x00\xfe\xff", Format("text in UTF-32", "iconv -f UTF-32 -t UTF-8 FILE")),
    (b"\xff\xfe", Format("text in UTF-16", "iconv -f UTF-16 -t UTF-8 FILE")),
    (b"\xfe\xff", Format("text in UTF-16", "iconv -f UTF-16 -t UTF-8 FILE")),
)
_WIDE = {"000x": "UTF-32BE", "x000": "UTF-32LE", "0x0x": "UTF-16BE", "x0x0": "UTF-16LE"}
"""Where the zero bytes of the first four stand in text that begins with two ASCII characters (RFC 4627 section 3)."""


class DamagedFileError(ValueError):
    """The data is broken or ends too early; events before the damage have been read."""


class UnreadableFormatError(DamagedFileError):
    """The file holds something else than the text that is read; nothing of it was taken. The message has the remedy."""

    def __init__(self, found: Format) -> None:
        super().__init__(
            f"is {found.name}, which is not read as it is; convert it first: `{found.command} > TEXT`, or a pipe"
        )


def format_of(head: bytes) -> Format | None:
    """Return the format by the first bytes, `HEAD_BYTES` if there are so many, or None where it may be text."""
    for magic, found in _MAGICS:
        if head.startswith(magic):
            return found
    if head[1:4] == _ZSTD_SKIPPABLE and 0x50 <= head[0] <= 0x5F:  # noqa: PLR2004 - see _ZSTD_SKIPPABLE
        return ZSTD
    if (wide := _WIDE.get("".join("x" if byte else "0" for byte in head[:4]))) is not None:
        return Format(f"text in {wide[:6]}", f"iconv -f {wide} -t UTF-8 FILE")
    if head[_TAR_MARK_AT:].startswith(_TAR_MARK):
        return _TAR
    return None
