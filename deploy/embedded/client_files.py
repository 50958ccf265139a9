"""Settings files for Kafka's own tools and for kcat, with the embedded broker's address and password.

A password on a command line would be seen by every user of the machine.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from core.files import write_whole
from deploy.embedded.broker_address import USER, BrokerAddress
from deploy.embedded.paths import DataPaths
from deploy.embedded.servers.kafka_properties import client_login


class ClientFiles(NamedTuple):
    """Files for their owner only."""

    kcat: Path
    """For `kcat -F`; names the broker too."""
    java: Path
    """For `--command-config` of Kafka's tools."""


def write_client_files(paths: DataPaths, broker: BrokerAddress) -> ClientFiles:
    """Write them anew, beside the settings of the broker; raises OSError."""
    files = ClientFiles(paths.run / "kcat.conf", paths.run / "kafka.client.properties")
    kcat = {"bootstrap.servers": broker.bootstrap_servers}
    java: dict[str, str] = {}
    if broker.password is not None:
        password = broker.password.get_secret_value()
        both = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN"}
        kcat |= both | {"sasl.username": USER, "sasl.password": password}
        java |= both | {"sasl.jaas.config": client_login(password)}
    for path, values in ((files.kcat, kcat), (files.java, java)):
        write_whole(path, "".join(f"{key}={value}\n" for key, value in values.items()), private=True)
    return files
