"""How to reach the servers of a running stack, and settings that name them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from core.settings import Settings, SettingsError
from deploy.embedded.broker_address import BrokerAddress
from deploy.embedded.state import StackState

PARTITIONS = 4  # one node and few cores gain nothing from more, and each costs files and a seen-set


@dataclass(frozen=True)
class Servers:
    """How to reach the servers of a running stack; None for one that it does not run."""

    broker: BrokerAddress | None
    dsn: SecretStr | None

    @classmethod
    def of(cls, current: StackState) -> Servers:
        """The addresses that a guard tells."""
        kafka, postgres = current.servers.get("kafka"), current.servers.get("postgres")
        return cls(
            BrokerAddress.parse(kafka.address) if kafka else None, SecretStr(postgres.address) if postgres else None
        )

    @property
    def bootstrap_servers(self) -> str | None:
        """Where Kafka is."""
        return self.broker.bootstrap_servers if self.broker is not None else None

    def kafka_settings(self) -> dict[str, Any]:
        """The settings of the group `kafka` by which a client reaches it; none where it does not run."""
        return self.broker.settings() if self.broker is not None else {}


def filled_in(settings: Settings, servers: Servers) -> Settings:
    """The settings with the addresses of these servers where they name none themselves.

    Raises SettingsError where the settings have a password or a protocol for a server that they do not name.
    """
    update: dict[str, Any] = {}
    if settings.kafka.bootstrap_servers is None and servers.broker is not None:
        refuse_credentials(settings)
        chosen = servers.kafka_settings()
        if "partitions" not in settings.kafka.model_fields_set:
            chosen["partitions"] = PARTITIONS
        update["kafka"] = settings.kafka.model_copy(update=chosen)
    if settings.postgres.dsn is None and servers.dsn is not None:
        refuse_credentials(settings)
        update["postgres"] = settings.postgres.model_copy(update={"dsn": servers.dsn})
    return settings.model_copy(update=update)


def refuse_credentials(settings: Settings) -> None:
    """Refuse what is for a server of one's own where that is not named; raises SettingsError."""
    if settings.kafka.bootstrap_servers is None and settings.kafka.security_protocol != "PLAINTEXT":
        raise SettingsError(
            "kafka.security_protocol (BIGBROTR_KAFKA__SECURITY_PROTOCOL) is set, but kafka.bootstrap_servers "
            "(BIGBROTR_KAFKA__BOOTSTRAP_SERVERS), which it is for, is not: set that too, or leave the protocol out, as "
            "the embedded Kafka has its own"
        )
    if settings.postgres.dsn is None and settings.postgres.password is not None:
        raise SettingsError(
            "postgres.password (BIGBROTR_POSTGRES__PASSWORD) is set, but postgres.dsn (BIGBROTR_POSTGRES__DSN), which "
            "it is for, is not: set that too, or leave the password out, as the embedded PostgreSQL has its own"
        )
