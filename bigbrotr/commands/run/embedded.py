"""`bigbrotr embedded start|stop|env`: only the servers, for a Kafka or PostgreSQL tool or a single service."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from pydantic import SecretStr

from bigbrotr import extras
from bigbrotr.console.options import Options, pass_options
from bigbrotr.errors import CommandFailedError
from core.settings.errors import variable
from deploy.embedded.client_files import write_client_files
from deploy.embedded.errors import EmbeddedError
from deploy.embedded.paths import DataPaths
from deploy.embedded.stack import PARTITIONS, Servers, attach, running_stack
from deploy.embedded.stack import stop as stop_stack

_EPILOG = """\b
Examples:
  bigbrotr embedded start
  eval "$(bigbrotr embedded env)"
  psql "$BIGBROTR_POSTGRES__DSN"
  kcat -F "$KCAT_CONFIG" -L
"""
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except EmbeddedError as error:
        raise CommandFailedError(str(error)) from None


def _variables(data_dir: Path, servers: Servers) -> dict[str, str]:
    """The settings that make any process of ours use these servers, and files of settings for other tools."""
    found = {variable(("kafka", key)): _text(value) for key, value in servers.kafka_settings().items()}
    if servers.broker is not None:
        found["BIGBROTR_KAFKA__PARTITIONS"] = str(PARTITIONS)  # servers named by settings have 16, unless told so
        files = write_client_files(DataPaths.of(data_dir), servers.broker)
        found["KCAT_CONFIG"] = str(files.kcat)  # kcat reads this file by itself, too
        found["KAFKA_COMMAND_CONFIG"] = str(files.java)
    if servers.dsn is not None:
        found["BIGBROTR_POSTGRES__DSN"] = servers.dsn.get_secret_value()
    return found


def _text(value: str | SecretStr) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else value


def _as_json(data_dir: Path, servers: Servers) -> str:
    dsn = servers.dsn.get_secret_value() if servers.dsn is not None else None
    return json.dumps({"data_dir": str(data_dir), "bootstrap_servers": servers.bootstrap_servers, "dsn": dsn})


@click.group(epilog=_EPILOG)
def embedded() -> None:
    """Start, stop and reach the embedded Kafka and PostgreSQL of the data directory."""


@embedded.command(
    short_help="Start both servers, and print how to reach them.",
    epilog="\b\nExample:\n  bigbrotr --data-dir /srv/bigbrotr embedded start --json\n",
)
@_JSON
@pass_options
def start(options: Options, *, as_json: bool) -> None:
    """Start both servers in the background and print how to reach them; they stay until `embedded stop`.

    Where they run already, they are kept.
    """
    extras.require("embedded", "the embedded servers")
    data_dir = options.settings().data_dir

    def report(what: str) -> None:
        click.echo(what, err=True)

    with _failures(), running_stack(data_dir, keep=True, report=report) as servers:
        if as_json:
            click.echo(_as_json(data_dir, servers))
            return
        click.echo(f"Kafka       {servers.bootstrap_servers}")
        click.echo(f"PostgreSQL  {servers.dsn.get_secret_value() if servers.dsn is not None else None}")
        click.echo("`bigbrotr embedded stop` stops them; `bigbrotr embedded env` prints the variables.", err=True)


@embedded.command(
    short_help="Print the variables by which processes reach them.",
    epilog='\b\nExample:\n  eval "$(bigbrotr embedded env)"\n',
)
@_JSON
@pass_options
def env(options: Options, *, as_json: bool) -> None:
    """Print the variables by which any process reaches the servers that run, for a shell to evaluate.

    KCAT_CONFIG names a file for `kcat -F`, and KAFKA_COMMAND_CONFIG one for `--command-config` of Kafka's own tools, as
    a password on a command line would be seen by all users of this machine.
    """
    data_dir = options.settings().data_dir
    with _failures():
        servers = attach(data_dir)
    if servers is None:
        raise CommandFailedError(f"no servers run for {data_dir}: `bigbrotr embedded start` starts them")
    try:
        variables = _variables(data_dir, servers)
    except OSError as error:
        raise CommandFailedError(f"the settings of other tools cannot be written: {error}") from None
    if as_json:
        click.echo(json.dumps(variables))
        return
    for name, value in variables.items():
        click.echo(f"export {name}={shlex.quote(value)}")


@embedded.command(short_help="Stop both servers; their data stays.", epilog="\b\nExample:\n  bigbrotr embedded stop\n")
@_JSON
@pass_options
def stop(options: Options, *, as_json: bool) -> None:
    """Stop the servers of the data directory, even while processes use them; their data stays."""
    data_dir = options.settings().data_dir
    with _failures():
        stopped = stop_stack(data_dir)
    if as_json:
        click.echo(json.dumps({"data_dir": str(data_dir), "stopped": stopped}))
    else:
        click.echo(f"stopped the servers of {data_dir}" if stopped else f"no servers run for {data_dir}")
