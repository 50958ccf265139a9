"""The servers that a command needs: those of the settings, else the embedded ones, started if needed."""

from __future__ import annotations

import logging
import time
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

Ready = Callable[[], bool]
"""Whether starting servers take connections; it returns at once, and raises where they will not."""
READY_POLL_S = 0.05
"""How often starting servers are asked whether they are ready: short against the seconds that they take."""

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
    with starting_servers(settings, needs, report) as (filled, ready):
        while not ready():
            time.sleep(READY_POLL_S)
        yield filled


@contextmanager
def starting_servers(
    settings: Settings, needs: tuple[Server, ...] = BOTH, report: Callable[[str], None] = say
) -> Iterator[tuple[Settings, Ready]]:
    """As `servers`, but the block begins once the addresses are known: it asks whether the servers are ready."""
    given = {"kafka": settings.kafka.bootstrap_servers, "postgres": settings.postgres.dsn}
    missing = [name for name in needs if given[name] is None]
    if not missing:
        yield settings, lambda: True
        return
    if not extras.installed("embedded"):
        raise SettingsError("\n".join(map(_not_set, missing)))
    # Loading it fetches nothing, but takes time that those who name their servers need not wait for.
    from deploy.embedded import stack  # noqa: PLC0415
    from deploy.embedded.errors import EmbeddedError  # noqa: PLC0415

    try:
        with stack.starting_servers(settings, report=report) as starting:
            yield starting
    except EmbeddedError as error:
        raise CommandFailedError(str(error)) from error


def _not_set(name: Server) -> str:
    path, form = _ADDRESSES[name]
    return (
        f"{key_and_variable(path)} is not set: give {form}, as this installation has no embedded servers "
        f"({extras.how_to_install('embedded')} brings them)"
    )
