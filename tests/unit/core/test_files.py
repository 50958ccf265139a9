"""A reader meets the old file or the new one, and a failure leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.files import read_json, replacing, temporary_beside, write_whole


def test_a_file_is_replaced_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("before")
    with replacing(path, durable=True) as file:
        file.write(b"after")
        file.flush()
        assert path.read_text() == "before"
        assert temporary_beside(path).read_text() == "after"
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("file", "after")]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("before")

    def interrupted() -> None:
        with replacing(path) as file:
            file.write(b"after")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [(each.name, each.read_text()) for each in tmp_path.iterdir()] == [("file", "before")]


@pytest.mark.parametrize(("private", "others"), [(True, 0), (False, 0o044)])
def test_only_a_private_file_is_kept_from_others(tmp_path: Path, *, private: bool, others: int) -> None:
    path = tmp_path / "file"
    reference = tmp_path / "as open makes it"
    reference.touch()
    write_whole(path, "text\n", private=private)
    assert path.read_text() == "text\n"
    assert path.stat().st_mode & 0o077 == reference.stat().st_mode & 0o077 & others


def test_what_is_no_json_object_reads_as_an_empty_one(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert read_json(path) == read_json(path / "below") == {}
    for text in ("", "{", "[1]", "null"):
        path.write_text(text)
        assert read_json(path) == {}
    write_whole(path, '{"one": 1}')
    assert read_json(path) == {"one": 1}
