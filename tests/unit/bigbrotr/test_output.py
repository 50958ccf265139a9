"""A file has its name only once it is whole, replaces none by mistake, and what cannot be written is a sentence."""

from __future__ import annotations

import gzip
import os
import subprocess
from pathlib import Path

import click
import pytest
import zstandard
from click.testing import CliRunner, Result

from bigbrotr.cli import cli
from bigbrotr.console.output import opened_output, output_options
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


WRITERS = [("export",), ("rejections", "show", "rejections/0/0")]


@pytest.mark.parametrize("command", WRITERS, ids=" ".join)
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("there", "there: exists already: name another file, or replace this one by --force"),
        ("link", "link: exists already"),
        ("", "is a folder: name a file in it"),
        ("nowhere/file", "nowhere is no folder: make it, or name a file elsewhere"),
        ("there/file", "there is no folder"),
        ("a" * 300, "cannot be written: File name too long"),
        ("a" * 250, "cannot be written: File name too long"),
        ("loop", "loop: cannot be written: "),
    ],
)
def test_what_cannot_be_written_is_told_before_a_server_is_started(
    command: tuple[str, ...], name: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "there").write_bytes(b"before")
    (tmp_path / "link").symlink_to("there")
    (tmp_path / "loop").symlink_to("loop")
    data = tmp_path / "data"
    done = CliRunner().invoke(cli, ["--data-dir", str(data), *command, "-o", str(tmp_path / name)])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "Invalid value for -o" in done.stderr
    assert said in done.stderr
    assert (tmp_path / "there").read_bytes() == b"before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "loop", "there"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_is_not_ours_is_told_too(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    done = CliRunner().invoke(cli, ["export", "-o", str(tmp_path / "file")])
    assert (done.exit_code, "cannot be written: Permission denied" in done.stderr) == (2, True)


@click.command()
@output_options
def writer(output: Path | None) -> None:
    with opened_output(output) as write:
        write(TEXT)


def written(*arguments: str) -> Result:
    return CliRunner().invoke(writer, arguments)


def test_force_replaces_a_file_and_what_is_no_file_needs_none(tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(b"before")
    assert written("-o", str(tmp_path / "there"), "--force").exit_code == 0
    assert (tmp_path / "there").read_bytes() == TEXT
    assert written("-o", str(tmp_path / "new")).exit_code == 0
    assert written("-o", "/dev/null").exit_code == 0
    for arguments in ((), ("-o", "-"), ("--force",)):
        assert written(*arguments).stdout_bytes == TEXT


def test_a_backup_does_not_replace_one_of_the_same_name(tmp_path: Path) -> None:
    script = Path(__file__).parents[3] / "deploy" / "backup.sh"
    (tmp_path / "password").write_text("secret")
    (tmp_path / "monday.dump").write_text("before")
    environ = {"PATH": os.environ["PATH"], "PASSWORD_FILE": "password", "ARCHIVE": "postgresql://127.0.0.1:1/none"}
    done = subprocess.run(
        ["sh", str(script), "monday"],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, (tmp_path / "monday.dump").read_text()) == (2, "before")
    assert "there is a dump monday already" in done.stderr
