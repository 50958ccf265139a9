"""Connections to the archive: their options, and a pool of them that waits for the server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from core.postgres.errors import DSN, UnusableServerError, is_transient, refusal
from core.postgres.server import check
from core.settings.errors import SettingsError
from core.settings.model import Settings
from core.waiting import until_it_works

SETTING = ("postgres", "dsn")
"""The setting that holds the address."""
# A server on this machine or in this network answers in milliseconds; a start-up or a recovery answers 57P03 at once.
_CONNECT_S = 10.0


def dsn(settings: Settings) -> str:
    """Give the address of the database, password included: never log it.

    Raises:
        SettingsError: it is not set, and nothing embedded has filled it in.
    """
    secret = settings.postgres.dsn
    if secret is None:
        raise SettingsError(
            f"{DSN} is not set: give postgresql://user:password@host:port/database, or "
            "start the embedded PostgreSQL with `bigbrotr embedded start`"
        )
    return secret.get_secret_value()


def place(settings: Settings) -> str:
    """Name server and database, `host:port/database`, without user and password.

    Raises:
        SettingsError: no address is set.
    """
    url = urlsplit(dsn(settings))
    return url.netloc.rpartition("@")[2] + url.path


def connection_options(settings: Settings) -> dict[str, Any]:
    """Give asyncpg's options of a connection to the archive: address, password, schema, and a name to be known by.

    Only that schema is searched: with `public` behind it, a table that lacks there would be another archive's.

    Raises:
        SettingsError: no address is set.
    """
    options: dict[str, Any] = {
        "dsn": dsn(settings),
        "timeout": _CONNECT_S,
        "server_settings": {"application_name": "bigbrotr", "search_path": f'"{settings.postgres.schema}"'},
    }
    if settings.postgres.password is not None:
        options["password"] = settings.postgres.password.get_secret_value()
    return options


def pool_options(options: dict[str, Any], *, writable: bool = False) -> dict[str, Any]:
    """Give the options of a pool whose connections each check their server: after a fail-over it may be another.

    A server that lets none in any more, as after a change of the password, raises UnusableServerError where the pool
    needs a further connection.

    Args:
        options: of a connection.
        writable: whether tables are to be made.
    """

    async def init(connection: asyncpg.Connection[asyncpg.Record]) -> None:
        with _refusals_as_sentences():
            await check(connection, options, writable=writable)

    return options | {"connect": _connect, "init": init}


async def _connect(*args: Any, **options: Any) -> asyncpg.Connection[asyncpg.Record]:
    with _refusals_as_sentences():
        return await asyncpg.connect(*args, **options)


@contextmanager
def _refusals_as_sentences() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if (sentence := refusal(error)) is None:
            raise
        raise UnusableServerError(sentence) from error


async def pool(settings: Settings, *, writable: bool = False, **overrides: Any) -> asyncpg.Pool:
    """Open a pool of connections, waiting for the server; `overrides` are asyncpg's options.

    Args:
        settings: name the server.
        writable: refuse one that takes no writes, instead of waiting for the end of a fail-over.
        overrides: options of `asyncpg.create_pool`.

    Raises:
        SettingsError: no address is set. UnusableServerError: its server does not let us in, as with a wrong password
            or an unknown database, or it cannot hold an archive (`core.postgres.server`). ServerAwayError: it was not
            there for as long as `core.waiting.giving_up_after` allows.
    """
    postgres = settings.postgres
    connecting = connection_options(settings)
    connecting |= {name: overrides.pop(name) for name in connecting.keys() & overrides.keys()}
    options: dict[str, Any] = {
        **pool_options(connecting, writable=writable),
        "min_size": postgres.pool_min,
        "max_size": postgres.pool_max,
        "command_timeout": postgres.command_timeout_s,
    }
    options |= overrides

    async def attempt() -> asyncpg.Pool:
        return await asyncpg.create_pool(**options)

    what = f"PostgreSQL at {place(settings)}"
    return await until_it_works(what, attempt, is_transient, connects=True, setting=SETTING)
