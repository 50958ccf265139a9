"""A real broker of the tests' own that has the ways in that the embedded one has not."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from core.settings import KafkaSettings
from deploy.embedded.paths import DataPaths
from deploy.embedded.ports import LOOPBACK, choose
from deploy.embedded.servers import kafka
from deploy.embedded.servers.process import server_environment, spawn
from tests.broker.secured.certificates import Authority, Pair
from tests.waiting import wait_until

USER = "archive"
PASSWORD = "hunter2-correct-horse"
SCRAM = ("SCRAM-SHA-256", "SCRAM-SHA-512")
STOP_S = 30.0


@dataclass(frozen=True)
class SecuredBroker:
    """Where it listens: with SCRAM, with SCRAM over TLS, and over TLS with certificates of clients."""

    scram: str
    scram_tls: str
    mutual_tls: str
    authority: Authority
    client: Pair

    def settings(self, way: str) -> dict[str, Any]:
        """What settings of the group `kafka` one of these ways needs: the name of a field."""
        user: dict[str, Any] = {"username": USER, "password": SecretStr(PASSWORD), "sasl_mechanism": "SCRAM-SHA-512"}
        checked = {"ssl_cafile": self.authority.certificate}
        ours = {"ssl_certfile": self.client.certificate, "ssl_keyfile": self.client.key}
        found: dict[str, dict[str, Any]] = {
            "scram": user | {"security_protocol": "SASL_PLAINTEXT"},
            "scram_tls": user | checked | {"security_protocol": "SASL_SSL"},
            "mutual_tls": checked | ours | {"security_protocol": "SSL"},
        }
        return found[way] | {"bootstrap_servers": getattr(self, way)}

    def changed(self, way: str, **changes: Any) -> KafkaSettings:
        """Settings of that way, but for these."""
        return KafkaSettings.model_validate(self.settings(way) | changes)


@contextmanager
def secured_broker(folder: Path) -> Iterator[SecuredBroker]:
    """Run it for the length of the block."""
    authority = Authority(folder)
    server = authority.sign("broker")
    paths = DataPaths.of(folder / "data")
    paths.make()
    launch = kafka.prepare(paths, print)
    ports: list[int] = []
    for _ in range(3):
        ports.append(choose({launch.port, *ports}))
    at = [f"{LOOPBACK}:{port}" for port in ports]
    listeners = f"SCRAM://{at[0]},SCRAMTLS://{at[1]},TLS://{at[2]}"
    config = Path(launch.argv[-1])
    text = re.sub(r"(?m)^((advertised\.)?listeners=.*)$", rf"\1,{listeners}", config.read_text())
    protocols = "SCRAM:SASL_PLAINTEXT,SCRAMTLS:SASL_SSL,TLS:SSL"
    text = re.sub(r"(?m)^(listener\.security\.protocol\.map=.*)$", rf"\1,{protocols}", text)
    text += "".join(f"{key}={value}\n" for key, value in _more(authority, server).items())
    config.write_text(text)
    _format(launch.argv, paths)
    process = spawn(launch)
    try:
        wait_until(lambda: process.poll() is not None or kafka.is_ready(launch, process.pid), "the broker is ready")
        assert process.poll() is None, Path(launch.log).read_text()[-4000:]
        yield SecuredBroker(at[0], at[1], at[2], authority, authority.sign("client"))
    finally:
        process.send_signal(launch.stop_signal)
        process.wait(STOP_S)


def _more(authority: Authority, server: Pair) -> dict[str, str]:
    pem = server.key.read_text() + server.certificate.read_text()
    (server.key.parent / "broker.both.pem").write_text(pem)
    found = {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(server.key.parent / "broker.both.pem"),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority.certificate),
        "listener.name.tls.ssl.client.auth": "required",
    }
    for listener in ("scram", "scramtls"):
        found[f"listener.name.{listener}.sasl.enabled.mechanisms"] = ",".join(SCRAM)
        for mechanism in SCRAM:
            key = f"listener.name.{listener}.{mechanism.lower()}.sasl.jaas.config"
            found[key] = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    return found


def _format(argv: list[str], paths: DataPaths) -> None:
    """Format the directory once more, with a user of SCRAM: they are kept in the log."""
    paths.kafka.rename(paths.root / "without-users")
    config = Path(argv[-1])
    users = [word for one in SCRAM for word in ("--add-scram", f"{one}=[name={USER},password={PASSWORD}]")]
    # The embedded broker's own identity will do.
    meta = (paths.root / "without-users" / "meta.properties").read_text()
    (cluster,) = re.findall(r"(?m)^cluster\.id=(.*)$", meta)
    command = [*argv[:-2], "kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(config), "--standalone"]
    subprocess.run([*command, *users], check=True, env=server_environment(), timeout=120, stdout=subprocess.DEVNULL)
