"""Containers without Compose: one Kafka, one PostgreSQL, and ours one at a time, on a network of their own."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pydantic import SecretStr
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network
from testcontainers.core.wait_strategies import ExecWaitStrategy, LogMessageWaitStrategy

from core.settings import KafkaSettings, PostgresSettings, Settings
from deploy.embedded.ports import choose
from tests.containers.our_images import our_image
from tests.containers.server_images import kafka_image, postgres_image

START_S = 120  # both are up in a few seconds; the limit only ends a test that would hang
STOP_S = 30  # as compose.yaml grants

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Servers:
    """Two servers, and where this machine reaches them. In their network they are kafka:9092 and postgres:5432."""

    network: Network
    kafka: DockerContainer
    postgres: DockerContainer
    kafka_port: int
    password: str

    def settings(self, topic_prefix: str) -> Settings:
        """Settings for this machine, as PostgreSQL's administrator."""
        address = f"127.0.0.1:{self.postgres.get_exposed_port(5432)}"
        return Settings(
            kafka=KafkaSettings(bootstrap_servers=f"127.0.0.1:{self.kafka_port}", topic_prefix=topic_prefix),
            postgres=PostgresSettings(dsn=SecretStr(f"postgresql://postgres:{self.password}@{address}/bigbrotr")),
        )

    def words(self) -> str:
        """What both have said last."""
        return f"--- kafka\n{words(self.kafka)}\n--- postgres\n{words(self.postgres)}"


@contextmanager
def running_servers() -> Iterator[Servers]:
    """Start both, at once, and wait until they answer."""
    port = choose(set())
    password = secrets.token_urlsafe(24)
    with Network() as network:
        kafka = _kafka(port).with_network(network).with_network_aliases("kafka")
        postgres = _postgres(password).with_network(network).with_network_aliases("postgres")
        with kafka, postgres:
            started = LogMessageWaitStrategy("Kafka Server started").with_startup_timeout(START_S)
            answers = ExecWaitStrategy(["pg_isready", "--host=127.0.0.1"]).with_startup_timeout(START_S)
            started.wait_until_ready(kafka)
            answers.wait_until_ready(postgres)
            yield Servers(network, kafka, postgres, port, password)


@contextmanager
def ours(servers: Servers, command: str, **env: str) -> Iterator[DockerContainer]:
    """Run a command of ours in a container that may do as little as in compose.yaml."""
    container = DockerContainer(
        our_image(),
        command=command,
        env={"BIGBROTR_KAFKA__BOOTSTRAP_SERVERS": "kafka:9092", **env},
        network=servers.network,
        read_only=True,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
    )
    with container:
        try:
            yield container
        except BaseException:
            log.warning("%s:\n%s", command, words(container))
            raise


def stop(container: DockerContainer) -> int:
    """Ask a container to stop, as `docker stop` does, and return its exit code (137: it had to be killed)."""
    container.get_wrapped_container().stop(timeout=STOP_S)
    return container.wait()


def words(container: DockerContainer) -> str:
    """What a container has said last."""
    said: bytes = container.get_wrapped_container().logs(tail=40)
    return said.decode(errors="replace")


def _kafka(port: int) -> DockerContainer:
    return (
        DockerContainer(kafka_image().image)
        .with_bind_ports("19092/tcp", port)
        .with_envs(
            KAFKA_NODE_ID="1",
            KAFKA_PROCESS_ROLES="broker,controller",
            KAFKA_LISTENERS="INTERNAL://:9092,LOOPBACK://:19092,CONTROLLER://localhost:9093",
            KAFKA_ADVERTISED_LISTENERS=f"INTERNAL://kafka:9092,LOOPBACK://127.0.0.1:{port}",
            KAFKA_LISTENER_SECURITY_PROTOCOL_MAP="INTERNAL:PLAINTEXT,LOOPBACK:PLAINTEXT,CONTROLLER:PLAINTEXT",
            KAFKA_INTER_BROKER_LISTENER_NAME="INTERNAL",
            KAFKA_CONTROLLER_LISTENER_NAMES="CONTROLLER",
            KAFKA_CONTROLLER_QUORUM_VOTERS="1@localhost:9093",
            KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR="1",
            KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS="4",
            KAFKA_AUTO_CREATE_TOPICS_ENABLE="false",
        )
    )


def _postgres(password: str) -> DockerContainer:
    return (
        DockerContainer(postgres_image().image)
        .with_exposed_ports(5432)
        .with_envs(POSTGRES_PASSWORD=password, POSTGRES_DB="bigbrotr")
    )
