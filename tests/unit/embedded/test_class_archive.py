"""When a broker writes down its classes, when an archive is made of them, and that nothing of it may fail a start."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from deploy.embedded.servers.class_archive import SharedClasses, shared_classes

WHOLE = "java/lang/Object\nkafka/server/Server$SHUTTING_DOWN$\n"
"""A list that a broker wrote to its end."""
DAYS_S = 2 * 86_400.0


def java(folder: Path, script: str) -> list[str]:
    """A program in the place of Java."""
    program = folder / "java"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return [str(program)]


@pytest.fixture
def unable(tmp_path: Path) -> list[str]:
    """A Java that can neither use nor make an archive."""
    return java(tmp_path, "exit 1")


def recorded(chosen: SharedClasses) -> Path:
    """The list that a broker is to write."""
    (option,) = chosen.record
    return Path(option.partition("=")[2])


def age(file: Path) -> None:
    """Have a file be of some days ago."""
    os.utime(file, (then := time.time() - DAYS_S, then))


def test_brokers_write_lists_of_their_own_until_one_has_ended(tmp_path: Path, unable: list[str]) -> None:
    told: list[str] = []
    one = recorded(shared_classes(unable, tmp_path, told.append))
    two = recorded(shared_classes(unable, tmp_path, told.append))
    assert one != two
    one.write_text("java/lang/Object\n")  # it still runs, or was killed
    assert recorded(shared_classes(unable, tmp_path, told.append))
    assert told == []
    two.write_text(WHOLE)
    shared_classes(unable, tmp_path, told.append)
    assert len(told) == 1


def test_a_failed_attempt_is_repeated_only_after_a_day(tmp_path: Path, unable: list[str]) -> None:
    told: list[str] = []
    listed = recorded(shared_classes(unable, tmp_path, told.append))
    listed.write_text(WHOLE)
    assert shared_classes(unable, tmp_path, told.append) == SharedClasses()
    assert len(told) == 1
    assert not listed.exists()
    assert shared_classes(unable, tmp_path, told.append) == SharedClasses()
    age(listed.parent / "kafka.jsa")
    assert recorded(shared_classes(unable, tmp_path, told.append))
    assert len(told) == 1


def test_what_was_made_is_used_by_every_start_that_finds_it_whole(tmp_path: Path) -> None:
    made = "for one; do case $one in -XX:SharedArchiveFile=*) file=${one#*=};; -Xshare:*) what=${one#*:};; esac; done"
    command = java(tmp_path, f'{made}\nif [ $what = dump ]; then echo whole >"$file"; else grep -q whole "$file"; fi')
    listed = recorded(shared_classes(command, tmp_path, lambda _: None))
    listed.write_text(WHOLE)
    archive = listed.parent / "kafka.jsa"
    expected = SharedClasses(use=(f"-XX:SharedArchiveFile={archive}",))
    assert shared_classes(command, tmp_path, lambda _: None) == expected
    age(archive)
    assert shared_classes(command, tmp_path, lambda _: None) == expected
    archive.write_text("who")
    assert shared_classes(command, tmp_path, lambda _: None) == SharedClasses()


def test_a_list_of_a_killed_broker_goes_after_a_day(tmp_path: Path, unable: list[str]) -> None:
    listed = recorded(shared_classes(unable, tmp_path, lambda _: None))
    listed.write_text("java/lang/Object\n")
    age(listed)
    shared_classes(unable, tmp_path, lambda _: None)
    assert not listed.exists()


def test_each_java_has_an_archive_of_its_own(tmp_path: Path, unable: list[str]) -> None:
    (tmp_path / "other").mkdir()
    other = java(tmp_path / "other", "exit 1")
    folders = {recorded(shared_classes(one, tmp_path, lambda _: None)).parent for one in (unable, other)}
    assert len(folders) == 2


def test_a_cache_without_a_place_for_archives_is_no_trouble(tmp_path: Path, unable: list[str]) -> None:
    cache = tmp_path / "cache"
    cache.write_text("no folder")
    assert shared_classes(unable, cache, lambda _: None) == SharedClasses()
