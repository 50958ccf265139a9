"""Which password goes to which server: that of the settings only to the one that the settings name."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from bigbrotr.commands.rebuild.target_archive import at
from bigbrotr.supervise.children import service_env
from core import postgres
from core.settings import KafkaSettings, PostgresSettings, Settings, SettingsError
from deploy.embedded.broker_address import BrokerAddress
from deploy.embedded.stack import Servers, ensure_servers, filled_in

SECRET = "hunter2-correct-horse"


def settings_of(dsn: str | None, password: str | None = SECRET) -> Settings:
    given = {"dsn": dsn, "password": password}
    return Settings(
        kafka=KafkaSettings(bootstrap_servers="kafka:9092"), postgres=PostgresSettings.model_validate(given)
    )


def test_the_password_is_handed_over_where_the_address_has_none() -> None:
    options = postgres.connection_options(settings_of("postgresql://me@host/db"))
    assert (options["dsn"], options["password"]) == ("postgresql://me@host/db", SECRET)
    assert "password" not in postgres.connection_options(settings_of(f"postgresql://me:{SECRET}@host/db", None))


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://me:other@host/db",
        "postgresql://me:oth%40er@one:5432,two:5433/db",
        "postgresql://host/db?user=me&password=other",
        "postgres:///db?password=other",
    ],
)
def test_two_passwords_are_refused_without_repeating_them(dsn: str) -> None:
    with pytest.raises(ValidationError, match=r"BIGBROTR_POSTGRES__DSN.*BIGBROTR_POSTGRES__PASSWORD") as caught:
        settings_of(dsn)
    assert SECRET not in str(caught.value)
    assert "oth" not in str(caught.value).replace("another", "")


@pytest.mark.parametrize("dsn", ["postgresql://me@host/db", "postgresql://me:@host/db", "postgresql://host/db?user=me"])
def test_an_address_without_a_password_is_not_taken_for_one_with(dsn: str) -> None:
    assert postgres.connection_options(settings_of(dsn))["password"] == SECRET


@pytest.mark.parametrize("password", ["", "with\0zero"])
def test_what_no_server_takes_is_no_password(password: str) -> None:
    with pytest.raises(ValidationError, match="is not a password"):
        settings_of("postgresql://me@host/db", password)


def test_another_schema_has_the_password_and_another_server_never_gets_it() -> None:
    live = settings_of("postgresql://me@host/db")
    assert postgres.connection_options(at(live, "rebuilt"))["password"] == SECRET
    for target in ("postgresql://me@elsewhere/db", "postgresql://me:other@elsewhere/db"):
        options = postgres.connection_options(at(live, target))
        assert options["dsn"] == target
        assert "password" not in options


def test_the_embedded_server_does_not_get_a_password_that_is_for_another(tmp_path: Path) -> None:
    found = Servers(BrokerAddress("127.0.0.1:1"), SecretStr("postgresql://me:own@127.0.0.1:1/db"))
    settings = settings_of(None).model_copy(update={"data_dir": tmp_path / "data"})
    with pytest.raises(SettingsError, match=r"BIGBROTR_POSTGRES__PASSWORD.*is set, but postgres.dsn"):
        filled_in(settings, found)
    with pytest.raises(SettingsError, match="set that too, or leave the password out"), ensure_servers(settings):
        pass
    assert not (tmp_path / "data").exists(), "it is refused before any server is started"


def test_a_child_gets_the_address_once() -> None:
    base = {
        "BIGBROTR_POSTGRES__DSN_FILE": "/run/secrets/dsn",
        "bigbrotr_postgres__dsn_file": "/run/secrets/dsn",
        "BIGBROTR_POSTGRES__PASSWORD_FILE": "/run/secrets/password",
    }
    env = service_env(settings_of("postgresql://me@host/db"), None, "sink", base)
    assert env["BIGBROTR_POSTGRES__DSN"] == "postgresql://me@host/db"
    assert {name for name in env if name.upper().endswith("_FILE")} == {
        "BIGBROTR_POSTGRES__PASSWORD_FILE",
        "BIGBROTR_HTTP__PORT_FILE",
    }
