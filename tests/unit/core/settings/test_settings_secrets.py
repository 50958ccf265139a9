"""Secrets from files: what is read, what wins, and what each mistake is answered with."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as effort
from hypothesis import strategies as st

from core.settings import Settings, SettingsError, load_settings
from core.settings.secrets import file_variables, with_secrets

SECRET = "hunter2-correct-horse"
VARIABLES = [
    "BIGBROTR_KAFKA__PASSWORD_FILE",
    "BIGBROTR_KAFKA__SSL_PASSWORD_FILE",
    "BIGBROTR_POSTGRES__DSN_FILE",
    "BIGBROTR_POSTGRES__PASSWORD_FILE",
    "BIGBROTR_POSTGRES__OWNER_PASSWORD_FILE",
    "BIGBROTR_POSTGRES__WRITER_PASSWORD_FILE",
    "BIGBROTR_POSTGRES__READER_PASSWORD_FILE",
    "BIGBROTR_CONNECTOR__AUTH_KEY_FILE",
    "BIGBROTR_MONITOR__KEY_FILE",
]
Hold = Callable[..., str]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("BIGBROTR_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def hold(tmp_path: Path) -> Hold:
    """Write a file with a secret and give its path."""

    def write(content: str | bytes, name: str = "secret") -> str:
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(tmp_path / name)

    return write


def refusal(config: Path | None = None) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(config)
    assert SECRET not in str(caught.value)
    return str(caught.value)


def test_every_secret_of_the_model_can_come_from_a_file() -> None:
    assert file_variables(Settings) == VARIABLES


@pytest.mark.parametrize("key", ["password", "owner_password", "writer_password", "reader_password"])
def test_a_password_is_read_from_its_file(key: str, hold: Hold, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"BIGBROTR_POSTGRES__{key.upper()}_FILE", hold(f"{SECRET}\n"))
    settings = load_settings()
    assert getattr(settings.postgres, key).get_secret_value() == SECRET
    assert SECRET not in f"{settings!r} {settings.model_dump()}"


def test_a_byte_order_mark_is_no_part_of_a_secret(hold: Hold, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIGBROTR_POSTGRES__PASSWORD_FILE", hold(f"\ufeff{SECRET}\r\n"))
    password = load_settings().postgres.password
    assert password is not None
    assert password.get_secret_value() == SECRET


def test_other_secrets_are_read_from_their_files_too(hold: Hold, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIGBROTR_POSTGRES__DSN_FILE", hold(f"postgresql://me:{SECRET}@host/db\r\n", "dsn"))
    monkeypatch.setenv("BIGBROTR_CONNECTOR__AUTH_KEY_FILE", hold("5e" * 32, "key"))
    settings = load_settings()
    assert settings.postgres.dsn is not None
    assert settings.postgres.dsn.get_secret_value() == f"postgresql://me:{SECRET}@host/db"
    assert settings.connector.auth_key is not None
    assert settings.connector.auth_key.get_secret_value() == "5e" * 32


def test_a_file_wins_over_yaml_as_a_variable_does(hold: Hold, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "b.yaml").write_text("postgres: {password: of-the-yaml, schema: mine}\n")
    monkeypatch.setenv("BIGBROTR_POSTGRES__PASSWORD_FILE", hold(SECRET))
    found = load_settings(tmp_path / "b.yaml").postgres
    assert found.password is not None
    assert (found.password.get_secret_value(), found.schema) == (SECRET, "mine")


def test_names_of_variables_are_read_in_any_case_and_empty_ones_count_as_not_given(
    hold: Hold, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("bigbrotr_postgres__password_file", hold(SECRET))
    monkeypatch.setenv("BIGBROTR_POSTGRES__PASSWORD", "")
    monkeypatch.setenv("BIGBROTR_POSTGRES__OWNER_PASSWORD_FILE", "")
    found = load_settings().postgres
    assert found.password is not None
    assert (found.password.get_secret_value(), found.owner_password) == (SECRET, None)


def test_a_setting_whose_name_ends_alike_stays_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIGBROTR_HTTP__PORT_FILE", "/not/there")
    assert load_settings().http.port_file == Path("/not/there")


def test_a_variable_and_its_file_are_not_both_taken(hold: Hold, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIGBROTR_POSTGRES__PASSWORD", SECRET)
    monkeypatch.setenv("BIGBROTR_POSTGRES__PASSWORD_FILE", hold(SECRET))
    said = refusal()
    assert "BIGBROTR_POSTGRES__PASSWORD and BIGBROTR_POSTGRES__PASSWORD_FILE are both set: leave one" in said


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ["is empty", "write the secret into it"]),
        (b"\r\n\n", ["is empty"]),
        (b"\xff\xfe\x00", ["cannot be read, it is not UTF-8 text", "name a file"]),
        (b"x" * 70_000, ["longer than 65536 bytes"]),
        (None, ["cannot be read, No such file or directory", "name a file"]),
    ],
    ids=["empty", "line ends", "bytes", "long", "missing"],
)
@pytest.mark.parametrize("name", VARIABLES)
def test_a_file_that_cannot_be_used_is_named(
    name: str, content: bytes | None, words: list[str], hold: Hold, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = "/not/there" if content is None else hold(content)
    monkeypatch.setenv(name, path)
    said = refusal()
    assert all(word in said for word in [f"the variable {name}: the file {path} ", *words]), said


def test_a_folder_in_the_place_of_a_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container engine makes one where the file to mount does not exist."""
    monkeypatch.setenv("BIGBROTR_POSTGRES__PASSWORD_FILE", str(tmp_path))
    assert f"{tmp_path} cannot be read, Is a directory" in refusal()


def test_a_secret_in_the_place_of_a_path_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIGBROTR_POSTGRES__PASSWORD_FILE", SECRET)
    assert "text of 21 characters" in refusal()
    monkeypatch.setenv("BIGBROTR_POSTGRES__PASSWORD_FILE__X", SECRET)
    monkeypatch.delenv("BIGBROTR_POSTGRES__PASSWORD_FILE")
    assert "BIGBROTR_POSTGRES__PASSWORD_FILE, a mapping of 1, should be the path" in refusal()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("BIGBROTR_KAFKA__PARTITIONS_FILE", ["kafka.partitions (BIGBROTR_KAFKA__PARTITIONS) is no secret", *VARIABLES]),
        ("BIGBROTR_RELAYS_FILE", ["relays (BIGBROTR_RELAYS) is no secret", *VARIABLES]),
        ("BIGBROTR_DATA_DIR_FILE", ["data_dir (BIGBROTR_DATA_DIR) is no secret"]),
        ("BIGBROTR_HTTP__PORT_FILE_FILE", ["http.port_file (BIGBROTR_HTTP__PORT_FILE) is no secret"]),
        ("BIGBROTR_POSTGRES__PASSWRD_FILE", ["PASSWRD_FILE sets nothing", "mean BIGBROTR_POSTGRES__PASSWORD_FILE?"]),
        ("BIGBROTR_POSTGRES__DSN_FIEL", ["DSN_FIEL sets nothing", "did you mean BIGBROTR_POSTGRES__DSN_FILE?"]),
        ("BIGBROTR_POSTGRES_DSN_FILE", ["sets nothing: write BIGBROTR_POSTGRES__DSN_FILE, with two underscores"]),
        (
            "BIGBROTR_POSTGRS__DSN_FILE",
            ["POSTGRS__DSN_FILE sets nothing", "is known is BIGBROTR_POSTGRES__DSN_FILE"],
        ),
        ("BIGBROTR_POSTGRES__NOTHING_FILE", ["postgres.nothing_file", "is not a setting"]),
    ],
)
def test_a_variable_that_names_no_secret_is_answered(
    name: str, words: list[str], hold: Hold, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, hold(SECRET))
    said = refusal()
    assert all(word in said for word in words), said


def test_every_wrong_file_gets_a_line(hold: Hold, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIGBROTR_POSTGRES__DSN_FILE", "/not/there")
    monkeypatch.setenv("BIGBROTR_CONNECTOR__AUTH_KEY_FILE", hold(""))
    monkeypatch.setenv("BIGBROTR_RELAYS_FILE", "/not/there")
    assert len(refusal().splitlines()) == 3


def test_what_a_file_holds_is_checked_as_a_value_is(hold: Hold, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIGBROTR_POSTGRES__DSN_FILE", hold(f"mysql://me:{SECRET}@host/db"))
    assert "postgres.dsn (BIGBROTR_POSTGRES__DSN), text of" in refusal()
    monkeypatch.setenv("BIGBROTR_POSTGRES__DSN_FILE", hold(f"postgresql://me:{SECRET}@host/db"))
    monkeypatch.setenv("BIGBROTR_POSTGRES__PASSWORD", SECRET)
    said = refusal()
    assert "postgres.dsn (BIGBROTR_POSTGRES__DSN) and another in postgres.password" in said


def test_the_file_of_yaml_has_no_such_keys(hold: Hold, tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(f"postgres: {{dsn_file: {hold(SECRET)}}}\n")
    assert "postgres.dsn_file" in refusal(tmp_path / "b.yaml")


@given(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), min_size=1), st.text("\r\n"))
@effort(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_secret_is_all_of_the_text_but_the_line_ends_at_its_end(tmp_path: Path, secret: str, ends: str) -> None:
    (tmp_path / "secret").write_bytes(f"\r\n{secret}{ends}".encode())
    given = {"postgres": {"password_file": str(tmp_path / "secret"), "schema": "mine"}, "relays": "a b"}
    assert with_secrets(given, [], Settings) == {
        "postgres": {"password": f"\r\n{secret}", "schema": "mine"},
        "relays": "a b",
    }


@given(st.dictionaries(st.text("abdefilnorsw_", max_size=12), st.text("/ab\0", max_size=4), max_size=4))
def test_no_variable_makes_it_fail_in_another_way(values: dict[str, str]) -> None:
    given = {"postgres": values, "connector": "text", "nothing": values}
    try:
        found = with_secrets(given, [f"BIGBROTR_{name}" for name in values], Settings)
    except SettingsError:
        return
    assert found["nothing"] == values
