"""How clients reach the embedded Kafka, as one text that the guard hands on: address, user and password.

A broker that an earlier version started asks for no password; its text is `host:port` alone.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from pydantic import SecretStr

USER = "bigbrotr"
_LOGIN = f"sasl_plaintext://{USER}:"


class BrokerAddress(NamedTuple):
    """Where the broker is, and the password of `USER`; None: it asks for none."""

    bootstrap_servers: str
    password: SecretStr | None = None

    @classmethod
    def parse(cls, text: str) -> BrokerAddress:
        """Read what `secret_text` has written, of whichever version."""
        login, at, servers = text.rpartition("@")
        return cls(servers, SecretStr(login.removeprefix(_LOGIN)) if at else None)

    def secret_text(self) -> str:
        """Write all of it in one text: never log it."""
        if self.password is None:
            return self.bootstrap_servers
        return f"{_LOGIN}{self.password.get_secret_value()}@{self.bootstrap_servers}"

    def settings(self) -> dict[str, Any]:
        """The settings of the group `kafka` by which a client of ours reaches it."""
        found: dict[str, Any] = {"bootstrap_servers": self.bootstrap_servers}
        if self.password is not None:
            found |= {
                "security_protocol": "SASL_PLAINTEXT",
                "sasl_mechanism": "PLAIN",
                "username": USER,
                "password": self.password,
            }
        return found
