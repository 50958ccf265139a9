"""Another archive than the configured one: a schema of its database, or another database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click
from pydantic import SecretStr, TypeAdapter, ValidationError

from bigbrotr.errors import CommandFailedError
from core import postgres
from core.postgres import UnusableServerError
from core.settings import Settings
from core.settings.types import PostgresDsn, schema_name
from core.waiting import ServerAwayError


class TargetType(click.ParamType):
    """The address of a database, or the name of a schema of the configured one."""

    name = "DSN|SCHEMA"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Give it back if it is one of the two. A DSN may hold a password: it is never repeated."""
        if _is_address(value):
            try:
                TypeAdapter(PostgresDsn).validate_python(value)
            except ValidationError as error:
                message = error.errors(include_url=False, include_input=False)[0]["msg"].removeprefix("Value error, ")
                self.fail(f"the address {message}", param, ctx)
            return value
        try:
            return schema_name(value)
        except ValueError as error:
            self.fail(
                f"{value} {error}; another database is named as postgresql://user@host:port/database",
                param,
                ctx,
            )


TARGET = TargetType()


def at(settings: Settings, target: str) -> Settings:
    """The settings of an archive: those of the configured one but for where it is.

    Another address has its own password, or gets it as in libpq (PGPASSWORD, PGPASSFILE, ~/.pgpass): the one of the
    settings is for the server that they name.
    """
    change: dict[str, object] = {"schema": target}
    if _is_address(target):
        change = {"dsn": SecretStr(target), "password": None}
    return settings.model_copy(update={"postgres": settings.postgres.model_copy(update=change)})


def named(settings: Settings, target: str | None) -> str:
    """How a person knows an archive, without its password."""
    if target is None:
        return f"schema {settings.postgres.schema}"
    return "the other database" if _is_address(target) else f"schema {target}"


@contextmanager
def named_by(option: str, target: str | None) -> Iterator[None]:
    """Have a database that does not answer, or cannot be used, told as one of an option that holds its address.

    Raises:
        CommandFailedError: it did not answer in time.
        click.UsageError: instead of the UnusableServerError, which names settings.
    """
    if target is None or not _is_address(target):
        yield
        return
    try:
        yield
    except UnusableServerError as error:
        raise click.UsageError(f"{option}: {error.told_of('the address', 'its password (PGPASSWORD)')}") from error
    except ServerAwayError as error:
        if error.setting != postgres.SETTING:
            raise
        raise CommandFailedError(
            f"{error}. The address is that of {option}: correct it, or start the server"
        ) from error


def _is_address(target: str) -> bool:
    return "://" in target
