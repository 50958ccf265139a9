"""The servers that a command needs: those that settings name, else those of the data directory, started if need be."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from bigbrotr.errors import CommandFailedError
from core import log
from core.settings import Settings


def quiet_log(settings: Settings) -> None:
    """Let a short command log to stderr only what a person must know, unless settings ask for debugging."""
    log.configure(settings)
    if settings.log.level != "debug":
        logging.getLogger().setLevel(logging.WARNING)
        # It writes a line for each attempt to connect; that we wait, and for what, our own log says.
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


def say(text: str) -> None:
    """Tell a person something that is not the command's result: stderr, so that stdout stays clean for pipes."""
    click.echo(text, err=True)


@contextmanager
def servers(settings: Settings, report: Callable[[str], None] = say) -> Iterator[Settings]:
    """Give settings with both servers filled in, which run for as long as the block does.

    Raises:
        CommandFailedError: the embedded servers cannot be had; the message says what is missing and what else to do.
    """
    # Loading it fetches nothing, but an installation against one's own servers may lack the embedded extra.
    from deploy.embedded.errors import EmbeddedError  # noqa: PLC0415
    from deploy.embedded.stack import ensure_servers  # noqa: PLC0415

    try:
        with ensure_servers(settings, report=report) as filled:
            yield filled
    except EmbeddedError as error:
        raise CommandFailedError(str(error)) from error
