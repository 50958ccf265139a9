"""One stack for every test of faults, and a way to its Kafka that leads through a proxy of the tests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.embedded.ports import choose
from deploy.embedded.servers import kafka
from deploy.embedded.servers.kafka_properties import jaas_key, properties, server_login
from tests.faults.own_stack import OwnStack, own_stack


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

    def with_second_listener(log_dir: Path, ports: tuple[int, int], password: str) -> str:
        text = properties(log_dir, ports, password)
        text = re.sub(r"(?m)^(listeners=.*)$", rf"\1,LINE://127.0.0.1:{broker_line.back}", text)
        text = re.sub(r"(?m)^(advertised.listeners=.*)$", rf"\1,LINE://127.0.0.1:{broker_line.front}", text)
        text = re.sub(r"(?m)^(listener.security.protocol.map=.*)$", r"\1,LINE:SASL_PLAINTEXT", text)
        return f"{text}{jaas_key('LINE')}={server_login(password)}\n"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kafka, "properties", with_second_listener)
        with own_stack(tmp_path_factory.mktemp("own")) as started:
            yield started
