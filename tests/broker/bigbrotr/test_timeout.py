"""A wrong address of a server is an error that names it and where it stands, not a wait without end."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from core import postgres
from core.settings import Settings
from tests.broker.bigbrotr.conftest import Command
from tests.broker.core.away import free_port

pytestmark = pytest.mark.broker

KAFKA, POSTGRES = "BIGBROTR_KAFKA__BOOTSTRAP_SERVERS", "BIGBROTR_POSTGRES__DSN"


@pytest.mark.parametrize(
    ("arguments", "variable"),
    [
        (("coverage",), POSTGRES),
        (("digest",), POSTGRES),
        (("audit",), POSTGRES),
        (("export",), POSTGRES),
        (("migrate",), POSTGRES),
        (("topics", "list"), KAFKA),
        (("rejections", "list"), KAFKA),
        (("rejections", "show", "rejections/0/0"), KAFKA),
        (("import", "-"), KAFKA),
        (("relays", "publish", "wss://a.example"), KAFKA),
    ],
)
async def test_a_command_gives_up_and_names_the_address_and_its_variable(
    command: Command, arguments: tuple[str, ...], variable: str
) -> None:
    place = f"127.0.0.1:{free_port()}"
    server, address = ("Kafka", place) if variable == KAFKA else ("PostgreSQL", f"postgresql://me:hidden@{place}/none")
    done = await command(*arguments, "--timeout", "1s", **{variable: address})
    assert (done.returncode, done.stdout) == (1, "")
    assert f"Error: {server} at {place}" in done.stderr
    assert "has not answered within 1 s (" in done.stderr
    assert f"The address is that of the variable {variable}: correct it" in done.stderr
    assert "hidden" not in done.stderr
    assert "Traceback" not in done.stderr


async def test_a_server_that_accepts_and_never_answers_is_given_up_too(command: Command, tmp_path: Path) -> None:
    with socket.socket() as silent:  # the kernel takes connections, and nothing reads them
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        place = f"127.0.0.1:{silent.getsockname()[1]}"
        (tmp_path / "mine.yaml").write_text(
            f"kafka:\n  bootstrap_servers: {place}\npostgres:\n  dsn: postgresql://me@{place}/none\n"
        )
        for key, arguments in (("kafka.bootstrap_servers", ("topics", "list")), ("postgres.dsn", ("coverage",))):
            done = await command(
                *("--config", str(tmp_path / "mine.yaml"), *arguments, "--timeout", "1s"), **{KAFKA: "", POSTGRES: ""}
            )
            assert done.returncode == 1, done.stderr
            assert f"The address is that of {key} in {tmp_path}/mine.yaml" in done.stderr


async def test_a_database_of_the_command_line_is_blamed_on_its_option(command: Command, settings: Settings) -> None:
    assert (await command("migrate")).returncode == 0
    right = postgres.place(settings)
    other = f"postgresql://me@127.0.0.1:{free_port()}/none"
    done = await command("digest", "--compare", other, "--timeout", "1s")
    assert done.returncode == 1
    assert "The address is that of --compare" in done.stderr
    assert right not in done.stderr
