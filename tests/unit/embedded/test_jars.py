"""Kafka's jars: only whole and pinned files are ever used, and it is said plainly when they cannot be had."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest

from deploy.embedded.errors import ArtifactsMissingError
from deploy.embedded.servers import jars
from deploy.embedded.servers.jars import Jar, ensure_jars, is_intact, pinned

CONTENTS = {f"part{number}-1.0.jar": f"jar {number}".encode() * 100 for number in range(8)}


@pytest.fixture
def small_list(tmp_path: Path) -> Path:
    """A pinned list of small files in place of the real one."""
    lines = [
        f"org.example:{name.removesuffix('-1.0.jar')}:1.0 {len(content)} {hashlib.sha256(content).hexdigest()}"
        for name, content in CONTENTS.items()
    ]
    path = tmp_path / "list.txt"
    path.write_text("# a comment\n" + "\n".join(lines) + "\n")
    return path


class Repository:
    """Delivers the jars, the given ones damaged at the first time of asking."""

    def __init__(self, *damaged: str) -> None:
        self.damaged = set(damaged)
        self.asked: list[str] = []

    def __call__(self, jar: Jar, folder: Path) -> Path:
        self.asked.append(jar.name)
        file = folder / "deep" / jar.name
        file.parent.mkdir()
        content = CONTENTS[jar.name]
        if jar.name in self.damaged:
            self.damaged.remove(jar.name)
            content = content[:-1]
        file.write_bytes(content)
        return file


def unreachable(_jar: Jar, folder: Path) -> Path:
    (folder / "half").write_bytes(b"half")
    raise ConnectionError("no route to host")


def test_the_real_list_pins_kafka_and_everything_it_needs() -> None:
    listed = pinned(Path(jars.__file__).with_name("kafka-jars.txt"))
    assert len({jar.name for jar in listed}) == len(listed) == 46
    by_name = {jar.artifact: jar.version for jar in listed}
    assert by_name["kafka_2.13"] == by_name["kafka-clients"] == "4.3.1"
    assert "log4j-slf4j-impl" in by_name
    assert all(len(jar.sha256) == 64 and jar.size_bytes > 0 for jar in listed)


def test_fetches_what_is_missing_and_only_that(tmp_path: Path, small_list: Path) -> None:
    folder, repository, said = tmp_path / "cache", Repository(), list[str]()
    assert ensure_jars(said.append, repository, folder, small_list) == folder
    assert sorted(repository.asked) == sorted(CONTENTS)
    assert {path.name: path.read_bytes() for path in folder.glob("*.jar")} == CONTENTS
    assert len(said) > 1
    ensure_jars(said.append, unreachable, folder, small_list)


@pytest.mark.parametrize("damage", [b"", b"half", CONTENTS["part3-1.0.jar"][:-1] + b"!"])
def test_a_damaged_file_is_fetched_again(tmp_path: Path, small_list: Path, damage: bytes) -> None:
    ensure_jars(list[str]().append, Repository(), tmp_path / "cache", small_list)
    (tmp_path / "cache" / "part3-1.0.jar").write_bytes(damage)
    repository = Repository()
    ensure_jars(list[str]().append, repository, tmp_path / "cache", small_list)
    assert repository.asked == ["part3-1.0.jar"]
    assert (tmp_path / "cache" / "part3-1.0.jar").read_bytes() == CONTENTS["part3-1.0.jar"]


def test_a_damaged_download_is_tried_again_and_never_kept(tmp_path: Path, small_list: Path) -> None:
    repository = Repository("part1-1.0.jar", "part2-1.0.jar")
    folder = ensure_jars(list[str]().append, repository, tmp_path / "cache", small_list)
    assert len(repository.asked) == len(CONTENTS) + 2
    assert all(is_intact(folder / jar.name, jar) for jar in pinned(small_list))


@pytest.mark.slow
def test_says_what_is_missing_and_the_other_ways_when_nothing_can_be_fetched(tmp_path: Path, small_list: Path) -> None:
    with pytest.raises(ArtifactsMissingError) as caught:
        ensure_jars(list[str]().append, unreachable, tmp_path / "cache", small_list)
    message = str(caught.value)
    for part in (
        "Apache Kafka 4.3.1",
        "8 of its 8 jars",
        "no route to host",
        "BIGBROTR_KAFKA__BOOTSTRAP_SERVERS",
        "BIGBROTR_POSTGRES__DSN",
        "Compose",
    ):
        assert part in message
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [".lock"]


def test_without_the_package_that_fetches_the_extra_is_named_and_nothing_is_tried_again(
    tmp_path: Path, small_list: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jgo.maven", None)
    with pytest.raises(ArtifactsMissingError, match=r"fetches them is not installed.*bigbrotr\[embedded\].*Other ways"):
        ensure_jars(list[str]().append, folder=tmp_path / "cache", listed=small_list)
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [".lock"]


@pytest.mark.slow
def test_a_file_that_is_always_damaged_is_refused(tmp_path: Path, small_list: Path) -> None:
    def forged(jar: Jar, folder: Path) -> Path:
        file = folder / jar.name
        file.write_bytes(b"x" * jar.size_bytes)
        return file

    with pytest.raises(ArtifactsMissingError, match="another checksum"):
        ensure_jars(list[str]().append, forged, tmp_path / "cache", small_list)
    assert list((tmp_path / "cache").glob("*.jar")) == []


def test_what_a_killed_download_left_is_removed(tmp_path: Path, small_list: Path) -> None:
    (tmp_path / "cache" / ".fetch-abc").mkdir(parents=True)
    (tmp_path / "cache" / ".fetch-abc" / "part0-1.0.jar").write_bytes(b"half")
    folder = ensure_jars(list[str]().append, Repository(), tmp_path / "cache", small_list)
    assert {path.name for path in folder.iterdir()} == {*CONTENTS, ".lock"}
