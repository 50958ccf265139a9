"""`bigbrotr service NAME`: one service in the foreground, as containers and the supervisor run it."""

from __future__ import annotations

import importlib

import click

from bigbrotr.options import Options, pass_options
from bigbrotr.servers import BOTH, KAFKA, servers
from core.service import Service, run_service
from core.settings import Settings, SettingsError

# Imported by name: Faust, aiokafka and asyncpg are loaded only in the process that uses them.
SERVICES = {
    "connector": "producers.relays.service:ConnectorService",
    "processor": "processors.service:ProcessorService",
    "sink": "sinks.service:SinkService",
}
# The connector compares with the archive where the settings name one, and reads all the same where they do not.
_NEEDS = {"connector": KAFKA, "processor": KAFKA, "sink": BOTH}

_EPILOG = """\b
Examples:
  bigbrotr service connector
  BIGBROTR_KAFKA__BOOTSTRAP_SERVERS=kafka:9092 \\
  BIGBROTR_POSTGRES__DSN=postgresql://bigbrotr@db/bigbrotr bigbrotr service sink
"""


def service_class(name: str) -> type[Service]:
    """Import the class of a service."""
    module_name, attribute = SERVICES[name].split(":")
    found: type[Service] = getattr(importlib.import_module(module_name), attribute)
    return found


def made(found: type[Service], settings: Settings) -> Service:
    """Make a service, which opens nothing yet.

    Raises:
        SettingsError: a setting that only the service itself can check is wrong.
    """
    try:
        return found(settings)
    except ValueError as error:
        raise SettingsError(str(error)) from error


@click.command(epilog=_EPILOG)
@click.argument("name", type=click.Choice(list(SERVICES)))
@pass_options
def service(options: Options, name: str) -> None:
    """Run one service in the foreground until SIGTERM or Ctrl-C, then drain it.

    Where the settings do not name the servers that it needs, those that run for the data directory are used, or started
    for as long as this service runs. Only the sink needs PostgreSQL. Health is served at /metrics, /healthz, /readyz
    and /status.

    Exit codes: 0 drained, 1 the service failed, 2 settings, 3 the drain took too long or a second signal came.
    """
    settings = options.settings()
    found = service_class(name)
    with servers(settings, _NEEDS[name]) as filled:
        code = run_service(made(found, filled))
    if code:
        raise click.exceptions.Exit(code)
