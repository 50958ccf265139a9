"""Why brokers do not let us in, in a sentence.

aiokafka only logs what a broker has answered and goes on to the next one; what it raises in the end says that none was
reached, which is what it says of brokers that are away too. A wrong password would be waited on without end.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

from aiokafka.conn import AIOKafkaConnection, create_conn
from aiokafka.errors import (
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
    for_code,
)
from aiokafka.protocol.admin import SaslHandShakeRequest

from core.errors import OperatorError
from core.kafka.access import connection_options
from core.settings.errors import key_and_variable
from core.settings.model import Settings

_PATIENCE_S = 5.0
"""A broker that refuses does so within its `connection.failed.authentication.delay.ms`, 0.1 s; one that takes longer is
away, which the client that asks here waits out anyway."""


class KafkaRefusedError(OperatorError):
    """The brokers do not let us in, and only a person can correct that; the message names the settings to look at."""


async def raise_if_refused(settings: Settings) -> None:
    """Connect to each broker once; return where none refuses, whether they are there or away.

    Raises:
        KafkaRefusedError: a broker refuses our user, our password or our certificate, or we refuse its certificate.
    """
    options = connection_options(settings)
    for server in options.pop("bootstrap_servers").split(","):
        host, _, port = server.rpartition(":")
        try:
            async with asyncio.timeout(_PATIENCE_S):
                why = await _ask(settings, host.strip("[]"), int(port), options)
        except (OSError, KafkaError) as error:
            why = _why(settings, error)
        if why is not None:
            raise KafkaRefusedError(f"{server}: {why}")


async def _ask(settings: Settings, host: str, port: int, options: dict[str, Any]) -> str | None:
    connection = await create_conn(host, port, **options)
    try:
        if settings.kafka.uses_sasl or not await _wants_sasl(connection):
            return None
    finally:
        connection.close()
    return (
        f"the broker asks for a user name and a password: set {_name('security_protocol')}, {_name('username')} and "
        f"{_name('password')}"
    )


async def _wants_sasl(connection: AIOKafkaConnection) -> bool:
    """Return whether a broker that let us connect answers no other request before one that proves who we are."""
    answer = await connection.send(SaslHandShakeRequest("PLAIN"))
    return for_code(answer.error_code) is not IllegalSaslStateError  # what it answers where there is no SASL


def _why(settings: Settings, error: BaseException) -> str | None:
    """Return what to correct, or None where the error is one of a broker that is away."""
    match error:
        case SaslAuthenticationFailed():
            return f"the broker refuses the user or the password: see {_name('username')} and {_name('password')}"
        case UnsupportedSaslMechanismError():
            return (
                f"the broker does not take {settings.kafka.sasl_mechanism}: set {_name('sasl_mechanism')} to one that "
                "it takes"
            )
        case IllegalSaslStateError():
            return f"the broker asks for no password: set {_name('security_protocol')} to one without SASL"
        case ssl.SSLCertVerificationError():
            return (
                f"its certificate does not hold ({error.verify_message}): name the file of the authority that it is of "
                f"in {_name('ssl_cafile')}, and the broker by a name that is in its certificate"
            )
        case ssl.SSLError() if _is_about_ours(error):
            return f"the broker refuses our certificate ({error.reason}): see {_name('ssl_certfile')}"
    return _why(settings, error.__cause__) if error.__cause__ is not None else None


def _is_about_ours(error: ssl.SSLError) -> bool:
    """Return whether a broker has ended the handshake over our certificate (alerts of RFC 8446, section 6.2)."""
    reason = error.reason or ""
    return "ALERT" in reason and ("CERTIFICATE" in reason or "UNKNOWN_CA" in reason)


def _name(key: str) -> str:
    return key_and_variable(("kafka", key))
