"""The servers that a command needs: those of the settings, else the embedded ones, started if needed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

import click

from bigbrotr import extras
from bigbrotr.errors import CommandFailedError
from core import log
from core.settings import Settings, SettingsError
from core.settings.errors import key_and_variable

Server = Literal["kafka", "postgres"]
BOTH: tuple[Server, ...] = ("kafka", "postgres")
KAFKA: tuple[Server, ...] = ("kafka",)
POSTGRES: tuple[Server, ...] = ("postgres",)

_ADDRESSES = {
    "kafka": (("kafka", "bootstrap_servers"), "host:port of one or more brokers"),
    "postgres": (("postgres", "dsn"), "postgresql://user:password@host:port/database"),
}


def quiet_log(settings: Settings) -> None:
    """Let a short command log to stderr only what a person must know, unless settings ask for debugging."""
    log.configure(settings)
    if settings.log.level != "debug":
        logging.getLogger().setLevel(logging.WARNING)
        # It writes a line for each attempt to connect; that we wait, and for what, our own log says.
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


def say(text: str) -> None:
    """Write a notice that is not the command's result to stderr, so that stdout stays clean for pipes."""
    click.echo(text, err=True)


@contextmanager
def servers(
    settings: Settings, needs: tuple[Server, ...] = BOTH, report: Callable[[str], None] = say
) -> Iterator[Settings]:
    """Give settings with the servers filled in that a command needs, which run for as long as the block does.

    Where one of them is not named, the embedded servers are filled in for all that are not: a connector that reads into
    the embedded Kafka compares with the embedded PostgreSQL.

    Raises:
        SettingsError: one is not named, and this installation is one without the embedded servers.
        CommandFailedError: the embedded servers cannot be had; the message states what is missing and what else to do.
    """
    given = {"kafka": settings.kafka.bootstrap_servers, "postgres": settings.postgres.dsn}
    missing = [name for name in needs if given[name] is None]
    if not missing:
        yield settings
        return
    if not extras.installed("embedded"):
        raise SettingsError("\n".join(map(_not_set, missing)))
    # Loading it fetches nothing, but takes time that those who name their servers need not wait for.
    from deploy.embedded.errors import EmbeddedError  # noqa: PLC0415
    from deploy.embedded.stack import ensure_servers  # noqa: PLC0415

    try:
        with ensure_servers(settings, report=report) as filled:
            yield filled
    except EmbeddedError as error:
        raise CommandFailedError(str(error)) from error


def _not_set(name: Server) -> str:
    path, form = _ADDRESSES[name]
    return (
        f"{key_and_variable(path)} is not set: give {form}, as this installation has no embedded servers "
        f"({extras.how_to_install('embedded')} brings them)"
    )
