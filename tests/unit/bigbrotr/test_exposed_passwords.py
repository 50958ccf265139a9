"""A password in the arguments of a command is warned of, whichever option it is in, and never repeated."""

from __future__ import annotations

import pytest

from bigbrotr.console.exposed_passwords import warning

SECRET = "hunter2-correct-horse"


@pytest.mark.parametrize(
    "arguments",
    [
        ["rebuild", "--into", f"postgresql://me:{SECRET}@host/db"],
        ["rebuild", f"--into=postgres://me:{SECRET}@one:1,two:2/db"],
        ["digest", "--compare", f"postgresql://host/db?user=me&password={SECRET}"],
        ["digest", "--at", f"POSTGRESQL://:{SECRET}@host/db"],
    ],
)
def test_a_password_of_a_database_is_warned_of(arguments: list[str]) -> None:
    said = warning(arguments)
    assert said is not None
    assert "PGPASSFILE" in said
    assert SECRET not in said


@pytest.mark.parametrize("arguments", [["run", "--relay", f"wss://me:{SECRET}@host"], [f"https://me:{SECRET}@host/x"]])
def test_a_password_of_a_relay_is_warned_of(arguments: list[str]) -> None:
    said = warning(arguments)
    assert said is not None
    assert "relays are never sent one" in said
    assert SECRET not in said


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["rebuild", "--into", "rebuilt"],
        ["rebuild", "--into", "postgresql://me@host:5432/db"],
        ["rebuild", "--into", "postgresql://me:@host/db"],
        ["digest", "--at", "postgresql:///db?host=/run/postgresql&user=me"],
        ["run", "--relay", "wss://host:7777/a:b@c"],
        ["export", "--filter", '{"#r": ["https://me:word@host"]}'],
        ["erase", "0" * 64, "--note", "see https://me:word@host"],
    ],
)
def test_what_holds_no_password_is_not(arguments: list[str]) -> None:
    assert warning(arguments) is None
