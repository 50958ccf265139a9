"""Tests use what is public and replace nothing: sizes, deadlines, clocks and addresses come by arguments."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
PUBLIC = {"_asdict", "_field_defaults", "_fields", "_make", "_replace"}
"""Of named tuples: the underscore keeps them apart from fields."""
PATCHES = {"delattr", "setattr"}
"""Of pytest's monkeypatch, and the functions of those names; `setenv` sets what a user may set."""
_TRANSPORT = "asyncio has no other way to close a pipe that it reads"
_EXIT = "the documented name of the function"
_FAULT = "runs in a process of its own with a fault of ours in it, for which there is no setting"
EXCEPTIONS = {
    ("broker/bigbrotr/test_export.py", "head.stdout._transport"): _TRANSPORT,
    ("broker/processors/runtime/faulty.py", "BatchPublisher.publish ="): _FAULT,
    ("broker/processors/runtime/faulty.py", "Erasures.covers ="): _FAULT,
    ("broker/processors/runtime/faulty.py", "Lane.put ="): _FAULT,
    ("relays/odd/__main__.py", "os._exit"): _EXIT,
    ("unit/bigbrotr/test_cli.py", "monkeypatch.setattr"): "a command that fails as with a disk that is full",
}


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__") and name not in PUBLIC


def is_own(value: ast.expr) -> bool:
    """Whether it is `self`, `cls` or `super()`."""
    if isinstance(value, ast.Call):
        value = value.func
    return isinstance(value, ast.Name) and value.id in {"self", "cls", "super"}


def root(value: ast.expr) -> str | None:
    """The name that a chain of attributes begins with."""
    while isinstance(value, ast.Attribute):
        value = value.value
    return value.id if isinstance(value, ast.Name) else None


def imported(nodes: Sequence[ast.AST]) -> set[str]:
    """The names that imports bind."""
    statements = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
    return {(each.asname or each.name).partition(".")[0] for statement in statements for each in statement.names}


def breaches(source: str) -> Iterator[str]:
    """What a module does that a test does not do, as its source has it."""
    nodes = list(ast.walk(ast.parse(source)))
    foreign = imported(nodes)
    for node in nodes:
        match node:
            case ast.Attribute(value, name, context):
                if (is_private(name) and not is_own(value)) or name in PATCHES:
                    yield ast.unparse(node)
                elif isinstance(context, ast.Store | ast.Del) and root(value) in foreign:
                    yield f"{ast.unparse(node)} ="
            case ast.Name(name) if name in PATCHES | {"mocker"}:
                yield name
            case ast.Import(names) if any(each.name.startswith(("mock", "unittest.mock")) for each in names):
                yield ast.unparse(node)
            case ast.ImportFrom(module, names):
                path = [*(module or "").split("."), *(each.name for each in names)]
                if "mock" in path or any(is_private(part) for part in path):
                    yield ast.unparse(node)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("service._parts.reader._consumer.paused()", ["service._parts", "service._parts.reader._consumer"]),
        ("from sinks.service import _Parts", ["from sinks.service import _Parts"]),
        ("from core import log\nlog.RATION_S = 1", ["log.RATION_S ="]),
        ("import core.log\ncore.log.RATION_S = 1", ["core.log.RATION_S ="]),
        ("monkeypatch.setattr(socket, 'getaddrinfo', never)", ["monkeypatch.setattr"]),
        ("setattr(module, name, 1)", ["setattr"]),
        ("from unittest import mock", ["from unittest import mock"]),
        ("from unittest.mock import patch", ["from unittest.mock import patch"]),
        ("import unittest.mock", ["import unittest.mock"]),
        ("def test(mocker): mocker.patch('core.log')", ["mocker"]),
        ("self._own = cls._other\nsuper()._take()", []),
        ("event._replace(kind=1)\nmodule.__file__\nfrom bigbrotr.__main__ import run", []),
        ("from tests.relays import hostile\nrelay.answer = hostile.silence", []),
        ("monkeypatch.setenv('HOME', '/')", []),
    ],
)
def test_a_breach_is_found(source: str, found: list[str]) -> None:
    assert sorted(breaches(source)) == found


def test_no_test_reaches_into_private_members_or_replaces_anything() -> None:
    """To mend it, give the code an argument with the present value as its default, or test what a user sees."""
    found = {
        (str(path.relative_to(TESTS)), breach)
        for path in sorted(TESTS.rglob("*.py"))
        for breach in breaches(path.read_text(encoding="utf-8"))
    }
    assert found == EXCEPTIONS.keys()
