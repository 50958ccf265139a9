"""One stack for every test of faults, and a way to its Kafka that leads through a proxy of the tests."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from deploy.embedded.ports import choose
from deploy.embedded.servers import kafka
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
    plain = kafka._properties

    def with_second_listener(*args: object) -> str:
        text = plain(*args)  # type: ignore[arg-type]
        text = re.sub(r"(?m)^(listeners=.*)$", rf"\1,LINE://127.0.0.1:{broker_line.back}", text)
        text = re.sub(r"(?m)^(advertised.listeners=.*)$", rf"\1,LINE://127.0.0.1:{broker_line.front}", text)
        return text + "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,LINE:PLAINTEXT\n"

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kafka, "_properties", with_second_listener)
        with own_stack(tmp_path_factory.mktemp("own")) as started:
            yield started
