"""`bigbrotr service NAME`: one service in the foreground, as containers and the supervisor run it."""

from __future__ import annotations

import os
import sys

import click

from bigbrotr.console.options import Options, pass_options
from bigbrotr.servers import servers
from bigbrotr.services import BY_NAME, SERVICES
from core.service import run_service

_SERVING_NICE = 5
"""Beside a pipeline that needs all cores, what serves has a third of the weight of what archives; else all it needs."""
_WIDTH = max(map(len, BY_NAME)) + 2
_EPILOG = "\n".join(
    (
        "\b",
        "Services:",
        *(f"  {spec.name:<{_WIDTH}}{', '.join(spec.needs)}" for spec in SERVICES),
        "",
        "\b",
        "Examples:",
        "  bigbrotr service connector",
        "  BIGBROTR_KAFKA__BOOTSTRAP_SERVERS=kafka:9092 \\",
        "  BIGBROTR_POSTGRES__DSN=postgresql://bigbrotr@db/bigbrotr bigbrotr service sink",
    )
)


@click.command(epilog=_EPILOG)
@click.argument("name", type=click.Choice(list(BY_NAME)))
@click.option("--held", is_flag=True, help="Load the program, and begin once standard input ends: for a supervisor.")
@pass_options
def service(options: Options, name: str, *, held: bool) -> None:
    """Run one service in the foreground until SIGTERM or Ctrl-C, then drain it.

    Where the settings do not name the servers that it needs, those that run for the data directory are used, or started
    for as long as this service runs. Health is served at /metrics, /healthz, /readyz and /status.

    Exit codes: 0 drained, 1 the service failed, 2 settings, 3 the drain took too long or a second signal came.
    """
    settings = options.settings()
    spec = BY_NAME[name]
    if held and spec.serves:
        os.nice(_SERVING_NICE)
    make = spec.factory()
    if held:
        sys.stdin.buffer.read()
    with servers(settings, spec.needs) as filled:
        code = run_service(make(filled))
    if code:
        raise click.exceptions.Exit(code)
