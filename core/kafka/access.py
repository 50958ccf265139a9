"""How every client reaches the brokers: their addresses, the protocol, user name and password, and TLS.

All clients take their options from here: aiokafka's by `connection_options`, Faust's by the same values.
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

from core.settings.errors import SettingsError, key_and_variable
from core.settings.kafka import KafkaSettings
from core.settings.model import Settings

SETTING = ("kafka", "bootstrap_servers")
"""The setting that holds the addresses."""


def bootstrap_servers(settings: Settings) -> str:
    """Name the brokers.

    Raises:
        SettingsError: they are not set, and nothing embedded has filled them in.
    """
    servers = settings.kafka.bootstrap_servers
    if servers is None:
        raise SettingsError(
            "kafka.bootstrap_servers (BIGBROTR_KAFKA__BOOTSTRAP_SERVERS) is not set: give host:port of a broker, or "
            "start the embedded one with `bigbrotr embedded start`"
        )
    return servers


def connection_options(settings: Settings) -> dict[str, Any]:
    """Give the options by which any client of aiokafka reaches the brokers, password included: never log them.

    Raises:
        SettingsError: no broker is named, or a file that TLS needs cannot be used.
    """
    kafka = settings.kafka
    options: dict[str, Any] = {
        "bootstrap_servers": bootstrap_servers(settings),
        "security_protocol": kafka.security_protocol,
        "ssl_context": tls_context(kafka) if kafka.uses_tls else None,
    }
    if kafka.uses_sasl and kafka.password is not None:
        options["sasl_mechanism"] = kafka.sasl_mechanism
        options["sasl_plain_username"] = kafka.username
        options["sasl_plain_password"] = kafka.password.get_secret_value()
    return options


def tls_context(kafka: KafkaSettings) -> ssl.SSLContext:
    """Make what checks the broker's certificate and its name, and shows ours where there is one.

    Raises:
        SettingsError: a file cannot be read, or does not hold what it should.
    """
    for key in ("ssl_cafile", "ssl_certfile", "ssl_keyfile"):
        _check_readable(key, getattr(kafka, key))
    try:
        context = ssl.create_default_context(cafile=kafka.ssl_cafile)
    except ssl.SSLError:
        raise SettingsError(f"{_name('ssl_cafile')}: the file {kafka.ssl_cafile} holds no certificate (PEM)") from None
    if kafka.ssl_certfile is not None:
        password = "" if kafka.ssl_password is None else kafka.ssl_password.get_secret_value()
        try:
            # As a function: OpenSSL would ask at the terminal for a password that is not given.
            context.load_cert_chain(kafka.ssl_certfile, kafka.ssl_keyfile, lambda: password)
        except (ssl.SSLError, ValueError):  # ValueError: longer than OpenSSL takes
            raise SettingsError(
                f"{_name('ssl_certfile')} and {_name('ssl_keyfile')}: {kafka.ssl_certfile} is no certificate (PEM), or "
                f"{kafka.ssl_keyfile or kafka.ssl_certfile} is not its key, or {_name('ssl_password')} does not open it"
            ) from None
    return context


def _check_readable(key: str, path: Path | None) -> None:
    if path is None:
        return
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise SettingsError(
            f"{_name(key)}: the file {path} cannot be read, {error.strerror}: name a file (PEM) that the user of this "
            "process may read"
        ) from None


def _name(key: str) -> str:
    return key_and_variable(("kafka", key))
