"""The command line as a whole: help with examples, exit codes that tell the truth, errors that name what is wrong."""

from __future__ import annotations

import bz2
import errno
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import click
import pytest
from asyncpg import ConnectionDoesNotExistError, DiskFullError
from click.testing import CliRunner

from bigbrotr.__main__ import run
from bigbrotr.cli import cli
from bigbrotr.commands.run.run import wanted_relays
from core.settings import Settings


class Done(NamedTuple):
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


Command = Callable[..., Done]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Command]:
    """Run commands in this process, as `main` does, with no settings but those that the test gives."""
    for name in list(os.environ):
        if name.startswith("BIGBROTR_") or name == "RELAYS":
            monkeypatch.delenv(name)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def call(*arguments: str, **variables: str) -> Done:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        code = run(list(arguments))
        return Done(code, *capsys.readouterr())

    yield call
    root.handlers[:], root.level = handlers, level


def walk(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        yield (*path, name)
        if isinstance(found, click.Group):
            yield from walk(found, (*path, name))


EVERY_COMMAND = [(), *walk(cli)]


def test_the_commands_are_those_that_were_promised() -> None:
    assert {path[0] for path in EVERY_COMMAND[1:]} == {
        *("demo", "run", "service", "embedded", "topics", "migrate", "status", "relays", "import", "verify", "digest"),
        *("probe", "coverage", "rejections", "export", "audit", "erase", "rebuild", "switch", "reprocess"),
    }


@pytest.mark.parametrize("path", EVERY_COMMAND, ids=" ".join)
def test_every_help_explains_and_has_an_example(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(cli, [*path, "--help"], prog_name="bigbrotr")
    assert result.exit_code == 0
    found = click.Context(cli).command
    for name in path:
        assert isinstance(found, click.Group)
        following = found.get_command(click.Context(found), name)
        assert following is not None
        found = following
    if not isinstance(found, click.Group) or not path:
        assert "Example" in result.output
        assert f"bigbrotr {' '.join(path)}".strip() in result.output.split("Example")[1]
    assert all(len(line) <= 120 for line in result.output.splitlines())


@pytest.mark.parametrize("path", [(), *sorted({path[:1] for path in EVERY_COMMAND if len(path) > 1})], ids=" ".join)
def test_the_list_of_commands_shows_whole_sentences_of_a_line_each(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(cli, [*path, "--help"], prog_name="bigbrotr", terminal_width=80)
    listed = result.output.partition("\nCommands:\n")[2].partition("\n\n")[0].splitlines()
    assert listed
    assert all(line.endswith(".") and not line.endswith("...") and line[2] != " " for line in listed), listed


def test_help_waits_for_no_heavy_import() -> None:
    code = (
        "import sys; from bigbrotr.__main__ import run; code = run(['--help']); "
        "print({'aiokafka', 'asyncpg', 'faust', 'pydantic', 'aiohttp', 'rich'} & set(sys.modules)); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


@pytest.mark.parametrize(
    ("variables", "key"),
    [
        ({"BIGBROTR_KAFKA__PARTITIONS": "3"}, "kafka.partitions"),
        ({"BIGBROTR_KAFKA__BOOTSTRAP_SERVERS": "nonsense"}, "kafka.bootstrap_servers"),
        ({"BIGBROTR_POSTGRES__DSN": "mysql://secret@host"}, "postgres.dsn"),
        ({"BIGBROTR_SINK__BATCH_AGE": "1"}, "sink.batch_age"),
    ],
)
@pytest.mark.parametrize("arguments", [("verify",), ("status",), ("run", "--relay", "wss://a.example"), ("demo",)])
def test_a_wrong_setting_stops_the_start_and_names_the_key(
    command: Command, arguments: tuple[str, ...], variables: dict[str, str], key: str
) -> None:
    done = command(*arguments, **variables)
    assert done.returncode == 2
    assert key in done.stderr
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stderr


def test_a_service_does_not_start_on_a_wrong_settings_file(command: Command, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("sink:\n  batch_events: many\n")
    for path in ("bad.yaml", "missing.yaml"):
        done = command("--config", str(tmp_path / path), "service", "sink")
        assert done.returncode == 2
        assert "sink.batch_events" in done.stderr or "missing.yaml" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("service", "nonsense"),
        ("import", "no-such-file"),
        ("import", "-", "--relay", "http://not-a-relay.example"),
        ("relays", "publish"),
        ("relays", "publish", "no-such-file"),
        ("demo", "--events", "0"),
        ("--config", "/", "status"),
    ],
)
def test_wrong_usage_has_its_own_exit_code(command: Command, arguments: tuple[str, ...], tmp_path: Path) -> None:
    done = command("--data-dir", str(tmp_path), *arguments)
    assert done.returncode == 2
    assert "Error" in done.stderr
    assert "Traceback" not in done.stderr


def test_run_needs_a_relay(command: Command, tmp_path: Path) -> None:
    done = command("--data-dir", str(tmp_path), "run")
    assert done.returncode == 2
    assert "no relay to read" in done.stderr
    done = command("--data-dir", str(tmp_path), "run", "--relay", "wss://localhost:1")
    assert done.returncode == 2
    assert "--relay:1: wss://localhost:1" in done.stderr


PRIVATE = ["ws://127.0.0.1", "wss://10.0.0.1:7777", "ws://[::1]:80", "ws://localhost", "ws://relay", "ws://nas.local"]


@pytest.mark.parametrize("command_line", [("run", "--relay"), ("relays", "publish")], ids=" ".join)
@pytest.mark.parametrize("url", PRIVATE)
def test_a_relay_on_a_private_address_is_answered_with_the_option_for_it(
    command: Command, command_line: tuple[str, ...], url: str, tmp_path: Path
) -> None:
    done = command("--data-dir", str(tmp_path), *command_line, url)
    assert done.returncode != 0
    assert f"{url}: host: " in done.stderr
    assert "; --allow-private lets it through, if it is a relay of yours" in done.stderr


@pytest.mark.parametrize("url", ["http://localhost", "ws://old.onion", "ws://127.0.0.1:99999", "ws://a_b-.local"])
def test_what_is_no_relay_at_all_is_not_answered_so(command: Command, url: str, tmp_path: Path) -> None:
    done = command("--data-dir", str(tmp_path), "run", "--relay", url)
    assert (done.returncode, "--allow-private" in done.stderr) == (2, False)


@pytest.mark.parametrize(
    "arguments", [("run", "--relay", "wss://relay.example.com"), ("demo",), ("embedded", "start"), ("service", "sink")]
)
def test_a_data_directory_that_cannot_be_is_a_sentence(
    command: Command, arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("BIGBROTR_DATA_DIR", str(tmp_path / "file" / "data"))
    done = command(*arguments)
    assert done.returncode == 1
    assert str(tmp_path / "file" / "data") in done.stderr
    assert "Traceback" not in done.stderr


def test_status_works_when_nothing_runs(command: Command, tmp_path: Path) -> None:
    done = command("--data-dir", str(tmp_path / "never" / "made"), "status")
    assert done.returncode == 0
    assert "none runs here" in done.stdout
    assert "not running" in done.stdout
    assert not (tmp_path / "never").exists(), "asking leaves nothing behind"


@pytest.mark.slow
def test_status_says_what_cannot_be_reached(command: Command, tmp_path: Path) -> None:
    servers = {
        "BIGBROTR_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "BIGBROTR_POSTGRES__DSN": "postgresql://me@127.0.0.1:1/none",
    }
    done = command("--data-dir", str(tmp_path), "status", **servers)
    assert done.returncode == 0
    assert done.stdout.count("unreachable") == 2


def test_relays_of_a_run_come_from_arguments_files_and_variable_else_from_settings(tmp_path: Path) -> None:
    settings = Settings(relays=["wss://settings.example"])
    (tmp_path / "list").write_text("# mine\nwss://file.example # good\nwss://FILE.example\n")
    found = wanted_relays(settings, ["wss://argument.example"], [tmp_path / "list"], "wss://a.example,wss://b.example")
    assert [url.split("/")[2] for url in found.relays] == [
        *("argument.example", "file.example", "a.example", "b.example")
    ]
    assert [url.split("/")[2] for url in wanted_relays(settings, [], [], " ").relays] == ["settings.example"]


@pytest.mark.parametrize("arguments", [("import", "--wait"), ("verify",)])
def test_a_file_of_another_form_is_named_before_any_server_is_asked(
    command: Command, arguments: tuple[str, ...], tmp_path: Path
) -> None:
    servers = {
        "BIGBROTR_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "BIGBROTR_POSTGRES__DSN": "postgresql://me@127.0.0.1:1/none",
    }
    for data, name in ((bz2.compress(b"{}"), "bzip2 data"), ("{}".encode("utf-16"), "text in UTF-16")):
        (tmp_path / "events").write_bytes(data)
        done = command("--data-dir", str(tmp_path / "data"), *arguments, str(tmp_path / "events"), **servers)
        assert (done.returncode, done.stdout) == (1, "")
        assert f"{tmp_path}/events: is {name}, which is not read as it is; convert it first: `" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        (("relays", "publish", "{file}"), {}),
        (("relays", "publish", '[{"url":"wss://a.example"}'), {}),
        (("run", "--relays", "{file}"), {}),
        (("run",), {"RELAYS": '{"wss://a.example":1}'}),
    ],
)
def test_a_list_of_relays_that_is_none_is_named(
    command: Command, arguments: tuple[str, ...], variables: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "list").write_bytes("wss://a.example".encode("utf-16"))
    told = [word.replace("{file}", str(tmp_path / "list")) for word in arguments]
    done = command("--data-dir", str(tmp_path / "data"), *told, **variables)
    assert (done.returncode, done.stdout) == (1, "")
    assert any(words in done.stderr for words in ("is text in UTF-16", "is not JSON", "is an object of 1 members"))
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [("service", "connector"), ("run", "--relay", "wss://a.example")])
def test_a_filter_that_is_none_stops_the_start(command: Command, arguments: tuple[str, ...], tmp_path: Path) -> None:
    servers = {
        "BIGBROTR_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "BIGBROTR_POSTGRES__DSN": "postgresql://me@127.0.0.1:1/none",
        "BIGBROTR_CONNECTOR__FILTERS": '[{"kindz": [1]}]',
    }
    done = command("--data-dir", str(tmp_path), *arguments, **servers)
    assert done.returncode == 2
    assert "connector.filters" in done.stderr
    assert "kindz" in done.stderr


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/data/run/password"), "the disk is full at /data/run/pass"),
        (ConnectionDoesNotExistError("connection was closed"), "PostgreSQL went away or has no room: ConnectionDoes"),
        (DiskFullError("could not extend file"), "has no room: DiskFullError: could not extend file; its log says why"),
    ],
)
def test_a_full_disk_and_a_lost_database_are_sentences(
    command: Command, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise error

    monkeypatch.setattr(cli, "main", fail)
    done = command("migrate")
    assert (done.returncode, said in done.stderr) == (1, True), done.stderr
