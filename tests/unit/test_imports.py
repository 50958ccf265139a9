"""Imports point downwards only, so that each part can be used, tested and replaced by itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# What a module of each package may import of ours, besides its own package.
ALLOWED = {
    "schemas": set[str](),
    "core": {"schemas"},
    "producers": {"core", "schemas"},
    "processors": {"core", "schemas"},
    "sinks": {"core", "schemas"},
    "api": {"core", "schemas"},
    "deploy": {"core", "schemas"},
    "bigbrotr": {"schemas", "core", "producers", "processors", "sinks", "api", "deploy"},
}
OURS = {*ALLOWED, "tests"}


def modules(package: str) -> list[Path]:
    """Find every module of a package, at any depth."""
    return sorted((ROOT / package).rglob("*.py"))


def imported_packages(source: str, module: tuple[str, ...]) -> Iterator[tuple[str, int]]:
    """Yield the top-level package and the line of each import, wherever it stands; `module` resolves relative ones."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((alias.name.split(".")[0], node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                above = module[: len(module) - node.level]
                yield (above[0] if above else "?"), node.lineno
            elif node.module:
                yield node.module.split(".")[0], node.lineno


@pytest.mark.parametrize("package", ALLOWED)
def test_modules_import_only_what_lies_below_them(package: str) -> None:
    refused = OURS - {package} - ALLOWED[package]
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in modules(package)
        for name, line in imported_packages(
            path.read_text(encoding="utf-8"), path.relative_to(ROOT).with_suffix("").parts
        )
        if name in refused
    ]
    assert not wrong


def test_every_package_is_looked_at() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    assert packages == ALLOWED.keys()
    assert all(modules(package) for package in ALLOWED)


def test_imports_are_found_wherever_they_stand() -> None:
    source = (
        "import sinks.rows, json\n"
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from core import log\n"
        "def late():\n    from ...producers import bundler\n    from . import near\n"
    )
    found = {name for name, _ in imported_packages(source, ("deploy", "embedded", "stack"))}
    assert found >= {"sinks", "json", "typing", "core", "deploy"}
