"""The settings of the embedded Kafka: KRaft, one node that is broker and controller, loopback only, with a password."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from deploy.embedded.broker_address import USER
from deploy.embedded.ports import LOOPBACK

CLIENTS = "CLIENTS"
CONTROLLER = "CONTROLLER"
PROTOCOL = "SASL_PLAINTEXT"  # what stays on the loopback needs no encryption


Properties = Mapping[str, object]
"""Settings of a broker, by Kafka's names for them."""


def properties(log_dir: Path, *, ports: tuple[int, int], password: str, more: Properties = MappingProxyType({})) -> str:
    """Write the broker's settings; they hold the password.

    The broker speaks to its controller as the same user as clients do: there is one, who may do everything.

    Args:
        log_dir: where topics lie.
        ports: that clients, and the broker itself as its controller's client, connect to.
        password: of `USER`.
        more: settings beside these or in their place.
    """
    listeners = f"{CLIENTS}://{LOOPBACK}:{ports[0]},{CONTROLLER}://{LOOPBACK}:{ports[1]}"
    settings: dict[str, object] = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.bootstrap.servers": f"{LOOPBACK}:{ports[1]}",
        "listeners": listeners,
        "advertised.listeners": listeners,
        "listener.security.protocol.map": f"{CLIENTS}:{PROTOCOL},{CONTROLLER}:{PROTOCOL}",
        "inter.broker.listener.name": CLIENTS,
        "controller.listener.names": CONTROLLER,
        "sasl.enabled.mechanisms": "PLAIN",
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "sasl.mechanism.controller.protocol": "PLAIN",
        jaas_key(CLIENTS): server_login(password),
        jaas_key(CONTROLLER): server_login(password),
        "log.dirs": log_dir,
        # One node cannot hold more than one copy of anything.
        "offsets.topic.replication.factor": 1,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        # 50 partitions are for clusters; each costs files and start-up time.
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.num.partitions": 4,
        # After a kill, the controller refuses the broker until its former session has timed out: it is back in 5 s,
        # with the default of 9 s in 12 s. A broker that stalls for longer is fenced a moment, which clients wait out.
        "broker.session.timeout.ms": 3000,
        "broker.heartbeat.interval.ms": 500,
        "group.initial.rebalance.delay.ms": 0,  # no wait for more consumers of a group to join
        "auto.create.topics.enable": "false",  # a mistyped topic must be an error
        "log.cleaner.dedupe.buffer.size": 16 * 2**20,  # 600,000 keys a pass; the default takes a quarter of the heap
        "num.network.threads": 2,
        "num.io.threads": 4,
        "num.recovery.threads.per.data.dir": 2,  # reads the logs after a kill: no more than there are cores
    }
    return "".join(f"{key}={escaped(str(value))}\n" for key, value in {**settings, **more}.items())


def jaas_key(listener: str) -> str:
    """Name the setting by which a listener knows its users, and the broker itself as a client of that listener."""
    return f"listener.name.{listener.lower()}.plain.sasl.jaas.config"


def server_login(password: str) -> str:
    """Write who may come in, and as whom the broker connects to itself (JAAS)."""
    return f'{_login(password)} user_{USER}="{password}";'


def client_login(password: str) -> str:
    """Write as whom a client in Java connects (JAAS)."""
    return f"{_login(password)};"


def _login(password: str) -> str:
    module = "org.apache.kafka.common.security.plain.PlainLoginModule"
    return f'{module} required username="{USER}" password="{password}"'


def escaped(value: str) -> str:
    """A value as java.util.Properties reads it: a backslash escapes, what is not ASCII is written in UTF-16 units."""
    units = value.replace("\\", "\\\\").encode("utf-16-be")
    return "".join(
        chr(unit) if unit < 0x80 else f"\\u{unit:04x}"  # noqa: PLR2004 - ASCII
        for (unit,) in struct.iter_unpack(">H", units)
    )
