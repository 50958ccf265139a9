"""The embedded Kafka lets in who has its password, and that is written where only its owner reads it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError
from pydantic import SecretStr

from core import kafka
from core.settings import KafkaSettings, Settings
from deploy.embedded.client_files import write_client_files
from deploy.embedded.paths import DataPaths
from deploy.embedded.stack import Servers, running_stack
from tests.broker.embedded.support import read_record, told, write_record
from tests.environment import environment

pytestmark = [pytest.mark.broker, pytest.mark.timeout(240)]
OTHERS = 0o077
ONLY_KAFKA = ("kafka",)


def changed(servers: Servers, **changes: Any) -> Settings:
    """Settings for the embedded Kafka, but for these."""
    return Settings(kafka=KafkaSettings.model_validate(servers.kafka_settings() | changes))


def without_login(servers: Servers) -> Settings:
    return Settings(kafka=KafkaSettings(bootstrap_servers=servers.bootstrap_servers))


async def test_a_client_without_a_password_can_neither_write_nor_look(servers: Servers) -> None:
    plain = AIOKafkaProducer(bootstrap_servers=servers.bootstrap_servers)
    with pytest.raises(KafkaConnectionError):
        await plain.start()
    await plain.stop()


@pytest.mark.parametrize("open_client", [kafka.producer, kafka.consumer, kafka.admin])
async def test_our_clients_say_that_a_login_lacks(servers: Servers, open_client: Any) -> None:
    with pytest.raises(kafka.KafkaRefusedError, match=r"asks for a user name.*BIGBROTR_KAFKA__SECURITY_PROTOCOL"):
        await open_client(without_login(servers))


@pytest.mark.parametrize("open_client", [kafka.producer, kafka.consumer, kafka.admin])
async def test_our_clients_say_that_a_password_is_wrong_and_do_not_wait(servers: Servers, open_client: Any) -> None:
    wrong = changed(servers, password=SecretStr("hunter2-correct-horse"))
    with pytest.raises(kafka.KafkaRefusedError, match=r"refuses the user or the password.*KAFKA__PASSWORD") as caught:
        await open_client(wrong)
    assert "hunter2" not in str(caught.value)


async def test_our_clients_say_which_mechanism_the_broker_does_not_take(servers: Servers) -> None:
    with pytest.raises(kafka.KafkaRefusedError, match=r"does not take SCRAM-SHA-256.*KAFKA__SASL_MECHANISM"):
        await kafka.admin(changed(servers, sasl_mechanism="SCRAM-SHA-256"))


@pytest.mark.parametrize("command", [("topics", "list"), ("service", "processor")], ids=" ".join)
def test_a_command_ends_with_one_sentence(servers: Servers, command: tuple[str, ...], tmp_path: Path) -> None:
    wrong = changed(servers, password=SecretStr("hunter2-correct-horse"))
    done = subprocess.run(
        [sys.executable, "-m", "bigbrotr", *command],
        env=environment(wrong.model_copy(update={"data_dir": tmp_path})),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "the broker refuses the user or the password: see kafka.username (BIGBROTR_KAFKA__USERNAME)" in done.stderr
    assert "hunter2" not in done.stderr + done.stdout


def test_what_holds_data_or_secrets_is_closed_to_others_also_where_it_was_open(tmp_path: Path) -> None:
    paths = DataPaths.of(tmp_path)
    with running_stack(tmp_path, names=ONLY_KAFKA) as servers:
        broker, password = told(tmp_path).servers["kafka"].address, servers.kafka_settings()["password"]
        asyncio.run(write_record(broker, b"kept"))
    # As an earlier version left it.
    paths.kafka.chmod(0o755)
    (paths.run / "kafka.password").unlink()
    (paths.run / "kafka.properties").chmod(0o644)
    with running_stack(tmp_path, names=ONLY_KAFKA) as servers:
        assert servers.broker is not None
        secret = servers.kafka_settings()["password"].get_secret_value()
        assert secret != password.get_secret_value(), "made anew, as there was none"
        assert asyncio.run(read_record(servers.broker.secret_text())) == b"kept"
        write_client_files(paths, servers.broker)
        assert (paths.kafka.stat().st_mode | paths.run.stat().st_mode) & OTHERS == 0
        holding = [file for file in paths.run.iterdir() if secret in file.read_text()]
        assert {file.name for file in holding} >= {"kafka.password", "kafka.properties", "kcat.conf", "state.json"}
        assert [file.name for file in holding if file.stat().st_mode & OTHERS] == []
        assert [file.name for file in holding if file.suffix in {".log", ".out"}] == []
        identity = told(tmp_path).servers["kafka"].process
        assert identity is not None
        process = psutil.Process(identity.pid)
        assert secret not in " ".join([*process.cmdline(), *process.environ().values()])


def test_the_databases_folder_is_closed_too(tmp_path: Path) -> None:
    with running_stack(tmp_path, names=("postgres",)):
        assert DataPaths.of(tmp_path).postgres.stat().st_mode & OTHERS == 0
