"""The same settings, connected as another role."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

import asyncpg
from pydantic import SecretStr

from core.settings import Settings
from sinks.migrate import migrate
from sinks.roles import OWNER, READER, WRITER

PASSWORDS = {OWNER: SecretStr("owner-4f1c"), WRITER: SecretStr("writer-90ab"), READER: SecretStr("reader-77e3")}


def address(dsn: SecretStr, role: str, password: str) -> SecretStr:
    """The address of a database for another role."""
    url = urlsplit(dsn.get_secret_value())
    user = f"{quote(role)}:{quote(password, safe='')}"
    return SecretStr(url._replace(netloc=f"{user}@{url.netloc.rpartition('@')[2]}").geturl())


def as_role(settings: Settings, role: str) -> Settings:
    """Settings with which everything is done as one of the roles, with its password of `PASSWORDS`."""
    assert settings.postgres.dsn is not None
    dsn = address(settings.postgres.dsn, role, PASSWORDS[role].get_secret_value())
    return settings.model_copy(update={"postgres": settings.postgres.model_copy(update={"dsn": dsn})})


async def let_in(settings: Settings) -> None:
    """Give the roles their passwords."""
    assert settings.postgres.dsn is not None
    connection = await asyncpg.connect(settings.postgres.dsn.get_secret_value())
    assert not (await migrate(connection, passwords=PASSWORDS)).request
    await connection.close()
