"""One stack for every test of faults, and a way to its Kafka that leads through a proxy of the tests."""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from deploy.embedded.paths import DataPaths
from deploy.embedded.ports import LOOPBACK, choose
from deploy.embedded.servers import kafka
from deploy.embedded.servers.kafka_properties import CLIENTS, CONTROLLER, PROTOCOL, jaas_key, server_login
from tests.faults.own_stack import OwnStack, own_stack

log = logging.getLogger(__name__)

SEED_VARIABLE = "BIGBROTR_TEST_SEED"


@dataclass(frozen=True)
class BrokerLine:
    """Kafka's second listener: it tells clients to come to `front`, where a proxy may stand before `back`."""

    front: int
    back: int


@pytest.fixture(scope="package")
def broker_line() -> BrokerLine:
    """Ports for the second listener. A client follows what the broker says of itself, so a proxy needs one."""
    front = choose(set())
    return BrokerLine(front, choose({front}))


@pytest.fixture(scope="package")
def stack(broker_line: BrokerLine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnStack]:
    """Servers that may be killed; the other tests' go on undisturbed."""
    folder = tmp_path_factory.mktemp("own")
    paths = DataPaths.of(folder)
    paths.make()
    broker, controller = kafka.ports_of(paths)
    ours = f"{CLIENTS}://{LOOPBACK}:{broker},{CONTROLLER}://{LOOPBACK}:{controller}"
    second_listener = {
        "listeners": f"{ours},LINE://{LOOPBACK}:{broker_line.back}",
        "advertised.listeners": f"{ours},LINE://{LOOPBACK}:{broker_line.front}",
        "listener.security.protocol.map": ",".join(f"{each}:{PROTOCOL}" for each in (CLIENTS, CONTROLLER, "LINE")),
        jaas_key("LINE"): server_login(kafka.password_of(paths)),
    }
    with own_stack(folder, kafka_properties=second_listener) as started:
        yield started


@pytest.fixture
def seed() -> int:
    """A new seed every time, or the one that a run is to be repeated with."""
    given = os.environ.get(SEED_VARIABLE)
    drawn_seed = int(given) if given else secrets.randbelow(2**32)
    log.warning("seed %d (%s=%d repeats it)", drawn_seed, SEED_VARIABLE, drawn_seed)
    return drawn_seed
