"""What a guard tells of its broker, what settings become of it, and what other tools are given."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from core.settings import KafkaSettings, Settings, SettingsError
from deploy.embedded.broker_address import BrokerAddress
from deploy.embedded.client_files import write_client_files
from deploy.embedded.paths import DataPaths
from deploy.embedded.servers.process import Identity
from deploy.embedded.stack import Servers, ensure_servers, filled_in
from deploy.embedded.state import StackState

SECRET = "hunter2-correct-horse"
ASKS = BrokerAddress("127.0.0.1:19092", SecretStr(SECRET))
OPEN = BrokerAddress("127.0.0.1:19092")


@pytest.mark.parametrize("broker", [ASKS, OPEN])
def test_what_is_written_is_read_again(broker: BrokerAddress) -> None:
    assert BrokerAddress.parse(broker.secret_text()) == broker
    assert SECRET not in str(broker)


def test_a_guard_of_an_earlier_version_tells_of_a_broker_without_a_password() -> None:
    server = {"address": "127.0.0.1:19092", "ready": True, "process": None, "restarts": 0, "failures": 0, "error": None}
    told = {"guard": Identity(1, 2.0), "stopping": False, "servers": {"kafka": server}}
    servers = Servers.of(StackState.model_validate(told))
    assert servers.broker == OPEN
    settings = filled_in(Settings(), servers)
    assert (settings.kafka.bootstrap_servers, settings.kafka.security_protocol) == ("127.0.0.1:19092", "PLAINTEXT")


def test_settings_have_the_login_of_the_embedded_broker() -> None:
    filled = filled_in(Settings(), Servers(ASKS, None)).kafka
    assert filled == KafkaSettings(**ASKS.settings(), partitions=filled.partitions)
    assert filled.security_protocol == "SASL_PLAINTEXT"
    assert SECRET not in repr(filled)


def test_the_embedded_broker_does_not_get_a_password_that_is_for_another(tmp_path: Path) -> None:
    given = KafkaSettings(security_protocol="SASL_SSL", username="me", password=SecretStr(SECRET))
    settings = Settings(data_dir=tmp_path / "data", kafka=given)
    with pytest.raises(SettingsError, match=r"BIGBROTR_KAFKA__SECURITY_PROTOCOL.*is set, but kafka.bootstrap_servers"):
        filled_in(settings, Servers(ASKS, None))
    with pytest.raises(SettingsError, match="leave the protocol out"), ensure_servers(settings):
        pass
    assert not (tmp_path / "data").exists(), "it is refused before any server is started"


def test_other_tools_are_given_files_for_their_owner_only(tmp_path: Path) -> None:
    paths = DataPaths.of(tmp_path)
    paths.make()
    kcat, java = write_client_files(paths, ASKS)
    assert kcat.read_text().splitlines() == [
        "bootstrap.servers=127.0.0.1:19092",
        "security.protocol=SASL_PLAINTEXT",
        "sasl.mechanism=PLAIN",
        "sasl.username=bigbrotr",
        f"sasl.password={SECRET}",
    ]
    module = "org.apache.kafka.common.security.plain.PlainLoginModule"
    assert java.read_text().splitlines() == [
        "security.protocol=SASL_PLAINTEXT",
        "sasl.mechanism=PLAIN",
        f'sasl.jaas.config={module} required username="bigbrotr" password="{SECRET}";',
    ]
    assert {path.stat().st_mode & 0o777 for path in (kcat, java)} == {0o600}
    assert write_client_files(paths, OPEN) == (kcat, java)
    assert (kcat.read_text(), java.read_text()) == ("bootstrap.servers=127.0.0.1:19092\n", "")
