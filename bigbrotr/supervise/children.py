"""How a service is started as a child process: its command line, and its settings as environment variables."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from core import kafka, postgres
from core.parent import PARENT_VARIABLE
from core.settings import CONFIG_VARIABLE, Settings

# The parent has read them, and passes on what they hold.
_READ = {"BIGBROTR_POSTGRES__DSN_FILE", "BIGBROTR_KAFKA__PASSWORD_FILE"}


def service_argv(name: str) -> list[str]:
    """The command of a service: the same interpreter, so that no PATH can choose another installation.

    With -P, no folder `core` or `api` of the directory that the user is in takes the place of ours either. It begins
    once its standard input has ended.
    """
    return [sys.executable, "-P", "-m", "bigbrotr", "service", name, "--held"]


def port_file(settings: Settings, name: str) -> Path:
    """Where a child writes the port of its health server."""
    return settings.data_dir / "services" / f"{name}.port"


def service_env(settings: Settings, config: Path | None, name: str, base: Mapping[str, str]) -> dict[str, str]:
    """The environment of a service: `base`, and over it what its parent has settled.

    Args:
        settings: with both servers filled in.
        config: the settings file that the parent read, if one was named on its command line.
        name: of the service.
        base: the environment of the parent.
    """
    env = {
        **{name: value for name, value in base.items() if name.upper() not in _READ},
        PARENT_VARIABLE: str(os.getpid()),
        "PYTHONUNBUFFERED": "1",
        "BIGBROTR_DATA_DIR": str(settings.data_dir),
        "BIGBROTR_KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers(settings),
        **_kafka_login(settings),
        "BIGBROTR_KAFKA__TOPIC_PREFIX": settings.kafka.topic_prefix,
        "BIGBROTR_KAFKA__PARTITIONS": str(settings.kafka.partitions),
        "BIGBROTR_POSTGRES__DSN": postgres.dsn(settings),
        "BIGBROTR_CONNECTOR__ONLY": relays_variable(settings.connector.only),
        "BIGBROTR_CONNECTOR__ALLOW_PRIVATE": str(settings.connector.allow_private),
        "BIGBROTR_DISCOVERY__ALLOW_PRIVATE": str(settings.discovery.allow_private),
        "BIGBROTR_PROBER__ALLOW_PRIVATE": str(settings.prober.allow_private),
        "BIGBROTR_PROBER__WRITE": str(settings.prober.write),
        "BIGBROTR_MONITOR__RELAYS": relays_variable(settings.monitor.relays),
        "BIGBROTR_HTTP__HOST": "127.0.0.1",  # only the parent needs the health of its children
        "BIGBROTR_HTTP__PORT": "0",
        "BIGBROTR_HTTP__PORT_FILE": str(port_file(settings, name)),
    }
    if config is not None:
        env[CONFIG_VARIABLE] = str(config.absolute())
    return env


def relays_variable(urls: Sequence[str]) -> str:
    """Relays, such as those that a connector is to read alone, as the value of a variable."""
    return json.dumps(list(urls))


def _kafka_login(settings: Settings) -> dict[str, str]:
    given = settings.kafka
    if given.username is None or given.password is None:
        return {}
    return {
        "BIGBROTR_KAFKA__SECURITY_PROTOCOL": given.security_protocol,
        "BIGBROTR_KAFKA__SASL_MECHANISM": given.sasl_mechanism,
        "BIGBROTR_KAFKA__USERNAME": given.username,
        "BIGBROTR_KAFKA__PASSWORD": given.password.get_secret_value(),
    }


def read_port(settings: Settings, name: str) -> int | None:
    """The port of a child's health server, or None while it has none."""
    try:
        return int(port_file(settings, name).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
