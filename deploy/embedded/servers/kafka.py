"""A real Apache Kafka as one child process, with a password that is made once for each data directory."""

from __future__ import annotations

import base64
import secrets
import shutil
import signal
import socket
import struct
import subprocess
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import MappingProxyType

from pydantic import SecretStr

from core.files import write_whole
from deploy.embedded.broker_address import BrokerAddress
from deploy.embedded.errors import EmbeddedError, Report
from deploy.embedded.paths import PRIVATE, DataPaths
from deploy.embedded.ports import LOOPBACK, keep_or_choose
from deploy.embedded.servers.class_archive import shared_classes
from deploy.embedded.servers.jars import ensure_jars
from deploy.embedded.servers.java import find_java
from deploy.embedded.servers.kafka_properties import Properties, properties
from deploy.embedded.servers.launch import Launch
from deploy.embedded.servers.process import server_environment

_PASSWORD_BYTES = 24  # beyond guessing
_FORMAT_TIMEOUT_S = 60  # takes 1 s; a busy machine much longer
_READY_TIMEOUT_S = 1.0  # the broker answers in a millisecond, or is not ready
_JVM = (
    "-Xms128m",
    "-Xmx512m",  # one node with tens of partitions holds 170 MB; the page cache does the rest
    "-XX:+UseSerialGC",  # the least memory and threads for a heap this small
    # Without the C2 compiler a start costs 2.0 s of CPU (3.2 s with it) and 200 MB of traffic 0.6-1.5 s (0.7-2.5 s), in
    # 40 MB less memory: what a broker does is copying, and C2 had not paid for itself after 1.4 GB.
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",  # a broker without memory must end, so that the guard starts it again
    "-Djava.net.preferIPv4Stack=true",  # plain 127.0.0.1, and no other kind of socket
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
logger.server.name = kafka.server.BrokerServer
logger.server.level = info
"""


def _format(command: list[str], paths: DataPaths, settings: Callable[[Path], str]) -> None:
    """Give an empty log directory its identity; it appears under its name only when complete."""
    fresh = paths.root / "kafka.new"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=PRIVATE)
    config = paths.run / "kafka.format.properties"
    write_whole(config, settings(fresh), private=True)
    # KIP-853: a quorum that knows itself from its log, so that the controller's port may change later.
    arguments = ["format", "-t", _cluster_id(), "-c", str(config), "--standalone"]
    done = subprocess.run(  # noqa: S603 - our own command line
        [*command, "kafka.tools.StorageTool", *arguments],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_FORMAT_TIMEOUT_S,
        check=False,
        env=server_environment(),
    )
    if done.returncode != 0:
        words = (done.stderr or done.stdout).strip()[-2000:]
        raise EmbeddedError(f"Kafka's storage tool failed with exit code {done.returncode}: {words}")
    fresh.rename(paths.kafka)


def _cluster_id() -> str:
    """A new id in Kafka's form; one that starts with a dash would be taken for an option."""
    while (cluster := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return cluster


def ports_of(paths: DataPaths) -> tuple[int, int]:
    """The broker's port and the controller's: those of the last start if they are free, and the next start's."""
    chosen = keep_or_choose(paths.run / "kafka.ports.json", ("broker", "controller"))
    return chosen["broker"], chosen["controller"]


def password_of(paths: DataPaths) -> str:
    """The password of this data directory, made if there is none: the broker has no other record of it."""
    file = paths.run / "kafka.password"
    if not file.exists():
        write_whole(file, secrets.token_urlsafe(_PASSWORD_BYTES), private=True)
    return file.read_text(encoding="ascii")


def prepare(paths: DataPaths, report: Report, more: Properties = MappingProxyType({})) -> Launch:
    """Fetch what is missing, format the log directory once, choose the ports; call it only while no broker runs for it.

    Args:
        paths: of the data directory.
        report: told what takes long.
        more: properties beside ours or in their place.

    Raises ArtifactsMissingError when Java or the jars cannot be had, EmbeddedError when formatting fails.
    """
    if "," in str(paths.root):
        raise EmbeddedError(f"Kafka takes a comma in {paths.root} for two directories: name a data directory without")
    java = find_java()
    jars = ensure_jars(report)
    ports, password = ports_of(paths), password_of(paths)
    log4j = paths.run / "kafka-log4j2.properties"
    log4j.write_text(_LOG4J, encoding="ascii")
    command = [str(java), *_JVM, "-cp", str(jars / "*"), f"-Dlog4j2.configurationFile={log4j.as_uri()}"]
    classes = shared_classes(command, jars, report)
    command += classes.use
    if not paths.kafka.exists():
        report("formatting Kafka's log directory")
        _format(command, paths, partial(properties, ports=ports, password=password, more=more))
    config = paths.run / "kafka.properties"
    write_whole(config, properties(paths.kafka, ports=ports, password=password, more=more), private=True)
    return Launch(
        name="kafka",
        argv=[*command, *classes.record, "kafka.Kafka", str(config)],
        data=str(paths.kafka),
        log=str(paths.run / "kafka.log"),
        address=BrokerAddress(f"{LOOPBACK}:{ports[0]}", SecretStr(password)).secret_text(),
        port=ports[0],
        stop_signal=signal.SIGTERM,
        death_signal=signal.SIGKILL,  # it recovers from that, and a clean stop may take longer than anybody waits
    )


def is_ready(launch: Launch, _pid: int) -> bool:
    """Whether the broker answers an ApiVersions request (KIP-35), also before a login; it listens before it can."""
    request = struct.pack(">hhih", 18, 0, 1, -1)  # key, version, correlation id, no client id
    try:
        with socket.create_connection((LOOPBACK, launch.port), timeout=_READY_TIMEOUT_S) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            answer = connection.recv(10)
    except OSError:
        return False
    return len(answer) == 10 and struct.unpack(">ih", answer[4:]) == (1, 0)  # noqa: PLR2004 - length, correlation id, error code
