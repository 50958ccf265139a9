"""Databases beside the archive: which of them services and commands work with, and what stands in them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from tests.containers.compose import Result
from tests.containers.stack import Stack

ARCHIVE = "bigbrotr"
CAUGHT_UP_S = 180.0  # some thousand records, which take a second or two
_NAMES = "SELECT datname FROM pg_database"


@contextmanager
def working_with(stack: Stack, database: str) -> Iterator[None]:
    """Have POSTGRES_DATABASE name a database for a while."""
    stack.set(POSTGRES_DATABASE=database)
    try:
        yield
    finally:
        stack.set(POSTGRES_DATABASE=ARCHIVE)


def succeeded(result: Result) -> Result:
    """A command that must have succeeded."""
    assert result.exit_code == 0, str(result)
    return result


def digest(stack: Stack, database: str) -> dict[str, Any]:
    """What `bigbrotr digest` says of all tables whose rows an archive must give back."""
    with working_with(stack, database):
        found = json.loads(succeeded(stack.run("bigbrotr", "digest", "--json")).stdout)
    return {name: found[name] for name in ("tables", "archive_digest")}


def migrate(stack: Stack, database: str) -> None:
    """Bring a database to this version, and give the roles their rights in it."""
    with working_with(stack, database):
        succeeded(stack.run("migrate"))


def sink_into(stack: Stack, database: str) -> None:
    """Have the sink write into a database, and wait until it has written all that the topics hold."""

    def lag() -> int:
        told = json.loads(succeeded(stack.run("bigbrotr", "status", "--json")).stdout)
        return cast(int, told["processor_lag"] + told["sink_lag"])

    with working_with(stack, database):
        # Alone: with the steps before it, as an operator has it, `migrate` would run once more.
        stack.compose.do("up", "--detach", "--no-deps", "sink")
        stack.until(f"{database} holds everything", lambda: lag() == 0, CAUGHT_UP_S)


def create(stack: Stack, database: str) -> None:
    """Make an empty database."""
    succeeded(stack.exec("postgres", "createdb", "--template=template0", "--locale=C", database))


def drop(stack: Stack, *databases: str) -> None:
    """Drop databases, also with sessions connected."""
    for database in databases:
        succeeded(stack.exec("postgres", "dropdb", "--force", "--if-exists", database))


def names(stack: Stack) -> set[str]:
    """The databases that there are."""
    said = succeeded(stack.exec("postgres", "psql", "--tuples-only", "--no-align", "--command", _NAMES))
    return set(said.stdout.split())
