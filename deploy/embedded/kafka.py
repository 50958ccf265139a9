"""A real Apache Kafka as one child process: KRaft, one node that is broker and controller, loopback only."""

from __future__ import annotations

import base64
import shutil
import signal
import socket
import struct
import subprocess
import uuid
from pathlib import Path

from deploy.embedded.errors import EmbeddedError
from deploy.embedded.jars import Progress, ensure_jars
from deploy.embedded.java import find_java
from deploy.embedded.launch import Launch
from deploy.embedded.paths import DataPaths
from deploy.embedded.ports import LOOPBACK, keep_or_choose

_FORMAT_TIMEOUT_S = 60  # takes 1 s; a busy machine much longer
_READY_TIMEOUT_S = 1.0  # the broker answers in a millisecond, or is not ready
_JVM = (
    "-Xms128m",
    "-Xmx512m",  # one node with tens of partitions holds 170 MB; the page cache does the rest
    "-XX:+UseSerialGC",  # the least memory and threads for a heap this small
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",  # a broker without memory must end, so that the guard starts it again
    "-Djava.awt.headless=true",
)
_LOG4J = """\
status = error
appender.out.type = Console
appender.out.name = out
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d %p %m (%c)%n
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
logger.server.name = kafka.server
logger.server.level = info
"""


def _properties(log_dir: Path, broker_port: int, controller_port: int) -> str:
    settings = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.bootstrap.servers": f"{LOOPBACK}:{controller_port}",
        "listeners": f"PLAINTEXT://{LOOPBACK}:{broker_port},CONTROLLER://{LOOPBACK}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{broker_port},CONTROLLER://{LOOPBACK}:{controller_port}",
        "controller.listener.names": "CONTROLLER",
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
        "group.initial.rebalance.delay.ms": 0,  # nobody waits for a fleet of consumers to assemble
        "auto.create.topics.enable": "false",  # a mistyped topic must be an error
        "log.cleaner.dedupe.buffer.size": 16 * 2**20,  # 600,000 keys a pass; the default takes a quarter of the heap
        "num.network.threads": 2,
        "num.io.threads": 4,
        "num.recovery.threads.per.data.dir": 2,  # reads the logs after a kill; the default of 2 stated, as starts depend on it
    }
    return "".join(f"{key}={value}\n" for key, value in settings.items())


def _format(java: Path, classpath: str, paths: DataPaths, ports: tuple[int, int]) -> None:
    """Give an empty log directory its identity; it appears under its name only when complete."""
    fresh = paths.root / "kafka.new"
    shutil.rmtree(fresh, ignore_errors=True)
    config = paths.run / "kafka.format.properties"
    config.write_text(_properties(fresh, *ports), encoding="utf-8")
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    while cluster.startswith("-"):  # an argument that starts so is taken for an option
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    command = [
        str(java),
        "-XX:TieredStopAtLevel=1",
        "-cp",
        classpath,
        f"-Dlog4j2.configurationFile={paths.run / 'kafka-log4j2.properties'}",
    ]
    command += ["kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(config), "--standalone"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_FORMAT_TIMEOUT_S, check=False)  # noqa: S603
    if done.returncode != 0:
        raise EmbeddedError(
            f"Kafka's storage tool failed with exit code {done.returncode}: {(done.stderr or done.stdout).strip()[-2000:]}"
        )
    fresh.rename(paths.kafka)


def prepare(paths: DataPaths, progress: Progress | None = None) -> Launch:
    """Fetch what is missing, format the log directory once, choose the ports; call it only while no broker runs for it.

    Raises ArtifactsMissingError when Java or the jars cannot be had, EmbeddedError when formatting fails.
    """
    java = find_java()
    classpath = str(ensure_jars(progress) / "*")
    chosen = keep_or_choose(paths.run / "kafka.ports.json", ("broker", "controller"))
    ports = chosen["broker"], chosen["controller"]
    log4j = paths.run / "kafka-log4j2.properties"
    log4j.write_text(_LOG4J, encoding="utf-8")
    if not paths.kafka.exists():
        _format(java, classpath, paths, ports)
    config = paths.run / "kafka.properties"
    config.write_text(_properties(paths.kafka, *ports), encoding="utf-8")
    return Launch(
        name="kafka",
        argv=[str(java), *_JVM, "-cp", classpath, f"-Dlog4j2.configurationFile={log4j}", "kafka.Kafka", str(config)],
        data=str(paths.kafka),
        log=str(paths.run / "kafka.log"),
        address=f"{LOOPBACK}:{ports[0]}",
        port=ports[0],
        stop_signal=signal.SIGTERM,
        death_signal=signal.SIGKILL,  # it recovers from that, and a clean stop may take longer than anybody waits
    )


def is_ready(launch: Launch) -> bool:
    """Whether the broker answers an ApiVersions request (KIP-35); it listens before it can."""
    request = struct.pack(">hhih", 18, 0, 1, -1)  # key, version, correlation id, no client id
    try:
        with socket.create_connection((LOOPBACK, launch.port), timeout=_READY_TIMEOUT_S) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            answer = connection.recv(10)
    except OSError:
        return False
    return len(answer) == 10 and struct.unpack(">ih", answer[4:]) == (1, 0)  # noqa: PLR2004 - length, correlation id, error code
