"""A file has its name only once it is whole, and what cannot be written is a sentence."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
import zstandard

from bigbrotr.console.output import opened_output
from bigbrotr.errors import CommandFailedError

TEXT = b"a line\n" * 100_000


def read(path: Path) -> bytes:
    packed = path.read_bytes()
    if path.suffix == ".gz":
        return gzip.decompress(packed)
    return zstandard.ZstdDecompressor().stream_reader(packed).read() if path.suffix == ".zst" else packed


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst"])
def test_a_file_appears_when_it_is_whole(tmp_path: Path, name: str) -> None:
    target = tmp_path / name
    target.write_bytes(b"before")
    with opened_output(target) as write:
        write(TEXT)
        assert target.read_bytes() == b"before"
    assert read(target) == TEXT
    assert [path.name for path in tmp_path.iterdir()] == [name]
    first = target.read_bytes()
    with opened_output(target) as write:
        write(TEXT)
    assert target.read_bytes() == first, "equal contents are equal files"


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst"])
def test_what_is_cut_short_leaves_nothing(tmp_path: Path, name: str) -> None:
    target = tmp_path / name
    target.write_bytes(b"before")

    def interrupted() -> None:
        with opened_output(target) as write:
            write(TEXT)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [(name, b"before")]


def test_the_file_behind_a_link_is_replaced_and_not_the_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"before")
    (tmp_path / "link").symlink_to("real")
    with opened_output(tmp_path / "link") as write:
        write(TEXT)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == TEXT


@pytest.mark.parametrize("path", ["/dev/full", "nowhere/a", "nowhere/a.gz"])
def test_what_cannot_be_written_is_a_sentence(tmp_path: Path, path: str) -> None:
    def written() -> None:
        with opened_output(tmp_path / path) as write:
            write(TEXT)

    with pytest.raises(CommandFailedError, match=r"cannot be written: No (space left|such file)"):
        written()
    assert list(tmp_path.iterdir()) == []
