"""The roles of an archive: who owns its tables, who writes them, who reads them.

`roles.sql` says what they lack, so nothing is changed, and no table locked, where nothing is to do. Roles belong to all
databases of a server: two that are migrated at once meet in its catalogs.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Mapping, Sequence
from importlib.resources import files
from typing import NamedTuple

import asyncpg
from pydantic import SecretStr

from core.archive.connection import Connection
from sinks.passwords import verifier

OWNER = "bigbrotr_owner"
"""Owns schema, tables and functions: what `migrate`, `rebuild` and `switch` need."""
WRITER = "bigbrotr_writer"
"""May change rows: what the sink needs."""
READER = "bigbrotr_reader"
"""May read: what the connector needs, and every command that only looks."""
ROLES = (OWNER, WRITER, READER)

# A catalog's row that another session changes is refused at once, and free again when that has committed.
_TRIES = 20
_PAUSE_S = 0.05
# What is written out of a list for a person: partitions come by the hundred, all for the same reason.
_SHOWN = 5

# Without the first table of every archive, nothing is an archive's; extensions keep their objects.
_OF_OTHERS = """
SELECT nspname, relname FROM pg_class JOIN pg_namespace AS here ON relnamespace = here.oid
WHERE nspname = current_schema() AND to_regclass('schema_migrations') IS NULL AND relkind IN ('r', 'p', 'v', 'm')
    AND NOT EXISTS (SELECT FROM pg_depend
        WHERE classid = 'pg_class'::regclass AND objid = pg_class.oid AND deptype = 'e')
ORDER BY relname
"""
_ABSENT = "SELECT name FROM unnest($1::text[]) AS name WHERE to_regrole(name) IS NULL"
_IS_MEMBER = "SELECT pg_has_role($1, 'USAGE') AND pg_has_role($1, 'SET')"
_ME = "SELECT quote_ident(current_user)"
_CAN_LOG_IN = "SELECT rolcanlogin FROM pg_roles WHERE rolname = $1"
# The steps of roles.sql that change owners.
_HANDING = (2, 3)


class RoleError(Exception):
    """A role cannot be set up; the message says which and why, and holds no password."""


class Granted(NamedTuple):
    """What the connected role may not do of what lacks, as statements, and whether everything is the owner's now."""

    lacking: list[str]
    is_owners: bool


async def refuse_tables_of_others(connection: Connection) -> None:
    """Raise RoleError where a first migration would take over what is not the archive's."""
    others = await connection.fetch(_OF_OTHERS)
    if others:
        names = _listed([row["relname"] for row in others])
        raise RoleError(
            f"schema {others[0]['nspname']} holds what is no archive's ({names}), and {OWNER} would own it: name one "
            "for the archive alone in postgres.schema (BIGBROTR_POSTGRES__SCHEMA), which `bigbrotr migrate` makes"
        )


async def make_roles(connection: Connection) -> list[str]:
    """Make the roles that lack, and let the connected one act as the owner. Gives the statements that it may not do.

    Raises RoleError where the connected one is not meant to.
    """
    me = await connection.fetchval(_ME)
    if me in (WRITER, READER):
        raise RoleError(f"{me} owns no tables, and is not meant to: connect as {OWNER}, or as an administrator")
    absent = [row["name"] for row in await connection.fetch(_ABSENT, ROLES)]
    statements = [f"CREATE ROLE {name}" for name in absent]
    if OWNER in absent or not await connection.fetchval(_IS_MEMBER, OWNER):
        # Who makes a role may hand it on, but does not act as it before it was granted.
        statements.append(f"GRANT {OWNER} TO {me} WITH INHERIT TRUE, SET TRUE")
    for number, statement in enumerate(statements):
        if not await _done(connection, statement):
            return statements[number:]
    return []


async def grant(connection: Connection) -> Granted:
    """Hand the current schema to the owner, and let the others do what is theirs."""
    if await connection.fetch(_ABSENT, ROLES):
        return Granted([], is_owners=False)
    query = files("sinks").joinpath("roles.sql").read_text(encoding="utf-8")
    lacking = [
        row
        for row in await connection.fetch(query, *ROLES)
        if not (row["is_allowed"] and await _done(connection, row["statement"]))
    ]
    return Granted([row["statement"] for row in lacking], all(row["step"] not in _HANDING for row in lacking))


async def act_as_owner(connection: Connection) -> bool:
    """Do as the owner what follows, where the connected role may; RESET ROLE ends it. Tells whether it is so."""
    if not await connection.fetchval(_IS_MEMBER, OWNER):
        return False
    await connection.execute(f"SET ROLE {OWNER}")
    return True


async def set_passwords(connection: Connection, passwords: Mapping[str, SecretStr]) -> list[str]:
    """Let roles log in with these passwords, and no longer with earlier ones. Gives the statements that it may not do.

    Raises RoleError where the server refuses for another reason than rights.
    """
    lacking = []
    for role, password in passwords.items():
        # A role may change its own password, and not whether it may log in.
        can_log_in = await connection.fetchval(_CAN_LOG_IN, role)
        change = f"ALTER ROLE {role} {'' if can_log_in else 'LOGIN '}PASSWORD"
        try:
            if can_log_in is None or not await _done(connection, f"{change} '{verifier(password.get_secret_value())}'"):
                lacking.append(f"{change} '…'")
        except asyncpg.PostgresError as error:
            raise RoleError(f"{role} could not be given its password: {error}") from None
    return lacking


async def request(connection: Connection, lacking: Iterable[str]) -> str:
    """One sentence on what an administrator must do; empty where nothing lacks."""
    wanted = list(lacking)
    if not wanted:
        return ""
    return (
        f"{await connection.fetchval(_ME)} may not do all that the roles of the archive ({', '.join(ROLES)}) need: let "
        f"an administrator of the database run `bigbrotr migrate`, or do this and then run it again: {_listed(wanted)}"
    )


def _listed(names: Sequence[str]) -> str:
    return "; ".join(names[:_SHOWN]) + (f"; and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


async def _done(connection: Connection, statement: str) -> bool:
    """Execute a statement on what all databases share; False where we may not."""
    for left in reversed(range(_TRIES)):
        try:
            await connection.execute(statement)
        except asyncpg.DuplicateObjectError:
            return True
        except (asyncpg.InsufficientPrivilegeError, asyncpg.InvalidGrantOperationError):
            return False
        # As "tuple concurrently updated", which has no code of its own, or a deadlock between two migrations.
        except (asyncpg.UniqueViolationError, asyncpg.InternalServerError, asyncpg.DeadlockDetectedError):
            if not left:
                raise
            await asyncio.sleep(random.uniform(0, _PAUSE_S))  # noqa: S311 - only lets two of them part
        else:
            return True
    raise AssertionError("the last try returns or raises")
