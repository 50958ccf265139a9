"""The image of ours: what it holds and what it does not, and how a command behaves that may do next to nothing."""

from __future__ import annotations

import re
import shutil
import time
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest

from bigbrotr.services import BY_NAME
from deploy.demo.events import generate
from tests.containers.engine import DockerError, docker
from tests.containers.our_images import ROOT, demo_image, our_image

LARGEST_BYTES = 350_000_000
STOPPED_S = 5.0  # a service that never reached its servers has nothing to drain
CONFINED = ("--read-only", "--network=none", "--cap-drop=ALL", "--security-opt=no-new-privileges")
NAMED = {
    "BIGBROTR_KAFKA__BOOTSTRAP_SERVERS": "kafka.example:9092",
    "BIGBROTR_POSTGRES__DSN": "postgresql://writer@postgres.example/bigbrotr",
}
# Modules without a compiled form that holds would be compiled at every start, as a read-only root keeps none. Ours and
# our dependencies' must hold whatever the time of a file (PEP 552: flags 1); Debian's go by it, as the package set it.
UNCOMPILED = """
import importlib.util, pathlib, sysconfig
for place, flags in (("stdlib", 0), ("purelib", 1)):
    for file in pathlib.Path(sysconfig.get_path(place)).rglob("*.py"):
        compiled = pathlib.Path(importlib.util.cache_from_source(file))
        if "lib2to3" not in file.parts and not (compiled.is_file() and compiled.read_bytes()[4] == flags):
            print(file)
"""

pytestmark = [pytest.mark.containers, pytest.mark.timeout(420)]  # the first test also waits for the image to be built


def run(*command: str, **env: str) -> str:
    """What a command prints in a container of its own; raises DockerError, which tells the exit code and stderr."""
    return docker("run", "--rm", *CONFINED, *variables(env), our_image(), *command)


def variables(env: dict[str, str]) -> list[str]:
    return [f"--env={name}={value}" for name, value in env.items()]


def version() -> str:
    """What pyproject.toml says."""
    return str(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"])


@contextmanager
def service(name: str, **env: str) -> Iterator[str]:
    """A service in a container of its own that finds none of its servers."""
    container = docker("run", "--detach", *CONFINED, *variables(NAMED | env), our_image(), "bigbrotr", "service", name)
    try:
        yield container
    finally:
        docker("rm", "--force", "--volumes", container)


def health_of(container: str) -> str:
    """What the health check of a service that is not ready says, once the service answers."""
    ends = time.monotonic() + 30
    while True:
        try:
            docker("exec", container, "healthcheck")
            told = "ready"  # One that has nothing to open is, until its first try has failed.
        except DockerError as error:
            told = str(error)
            if "Connection refused" not in told:
                return told
        assert time.monotonic() < ends, told
        time.sleep(0.2)


@pytest.mark.parametrize("image", [our_image, demo_image])
def test_is_small(image: Callable[[], str]) -> None:
    assert int(docker("image", "inspect", "--format={{.Size}}", image())) < LARGEST_BYTES


def test_says_what_it_is_and_runs_without_rights() -> None:
    config = orjson.loads(docker("image", "inspect", "--format={{json .Config}}", our_image()))
    labels = {name.rpartition(".")[2]: text for name, text in config["Labels"].items()}
    assert (labels["title"], labels["licenses"], labels["version"]) == ("bigbrotr", "MIT", version())
    assert labels["revision"]
    assert config["User"] == "10001:10001"
    assert config["Healthcheck"]["Test"] == ["CMD", "healthcheck"]
    assert not config.get("Volumes")
    assert run("id", "--user") == "10001"


def test_holds_nothing_of_how_it_was_built() -> None:
    script = "for name in pip pip3 gcc cc make git curl; do command -v $name; done; ls -A /var/lib/apt/lists /var/cache"
    tools, _, folders = run("sh", "-c", script).partition("/var/")
    assert tools == ""
    assert folders.split() == ["cache:", "/var/lib/apt/lists:"]
    assert run("python", "-c", "import importlib.util; print(importlib.util.find_spec('pip'))") == "None"
    assert run("sh", "-c", "find / -xdev -user 10001 2>/dev/null || true") == "/data", "for what commands write"
    place = run("python", "-c", "from sinks.migrate import migrate; print(migrate.__code__.co_filename)")
    assert place.startswith("/opt/bigbrotr/lib/"), "tracebacks name a folder that only the build had"


def test_compiles_nothing_at_a_start() -> None:
    assert run("python", "-c", UNCOMPILED) == ""


def test_nothing_private_enters_the_build(tmp_path: Path) -> None:
    shutil.copy(ROOT / ".dockerignore", tmp_path)
    private = (".env", ".git/config", ".venv/bin/python", "deploy/.env", "deploy/secrets/owner_password", "dump.jsonl")
    useless = ("tests/conftest.py", "bigbrotr/__pycache__/cli.cpython-311.pyc", "deploy/compose.yaml")
    needed = ("README.md", "bigbrotr/cli.py", "deploy/embedded/servers/jars.py", "requirements/service.lock")
    for name in (*private, *useless, *needed):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "bigbrotr/Dockerfile").write_text(f"FROM {our_image()}\nCOPY . /context\n")
    image = docker("build", "--quiet", "--file", str(tmp_path / "bigbrotr/Dockerfile"), str(tmp_path))
    try:
        found = docker("run", "--rm", *CONFINED, image, "find", "/context", "-type", "f", "-printf", r"%P\n")
    finally:
        docker("image", "rm", "--force", image)
    assert set(found.splitlines()) - {"bigbrotr/Dockerfile"} == set(needed)


def test_command_line_is_the_same_as_outside() -> None:
    assert run("bigbrotr", "--version") == f"bigbrotr, version {version()}"
    assert run().startswith("Usage: bigbrotr ")


def test_verifies_a_file(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    events = list(generate(3, seed=1, base_time_s=1_767_225_600))
    file.write_bytes(b"".join(event.wire + b"\n" for event in events))
    mounted = f"--volume={tmp_path}:/mnt:ro"
    tmp_path.chmod(0o755)
    words = docker("run", "--rm", *CONFINED, mounted, our_image(), "bigbrotr", "verify", "/mnt/events.jsonl")
    assert [orjson.loads(line)["verdict"] for line in words.splitlines()] == ["accepted"] * 3


@pytest.mark.parametrize("name", BY_NAME)
def test_sigterm_reaches_the_service_behind_tini(name: str) -> None:
    with service(name) as container:
        health_of(container)
        assert docker("exec", container, "cat", "/proc/1/comm") == "tini"
        began = time.monotonic()
        docker("stop", "--time=60", container, timeout_s=90)
        assert docker("inspect", "--format={{.State.ExitCode}}", container) == "0"
        assert time.monotonic() - began < STOPPED_S


def test_health_check_says_why_a_service_is_not_ready() -> None:
    with service("sink", BIGBROTR_HTTP__PORT="8081") as container:
        assert re.search(r"exit code 1: (?s:.*)\nwaiting for PostgreSQL", health_of(container))
        with pytest.raises(DockerError, match=r"exit code 1: .*Connection refused"):
            docker("exec", "--env=BIGBROTR_HTTP__PORT=9", container, "healthcheck")


@pytest.mark.parametrize(
    ("name", "env", "words"),
    [
        ("connector", {"BIGBROTR_KAFKA__BOOTSTRAP_SERVERS": ""}, "kafka.bootstrap_servers (BIGBROTR_KAFKA__BOOTSTRAP_"),
        ("processor", {"BIGBROTR_KAFKA__BOOTSTRAP_SERVERS": ""}, "kafka.bootstrap_servers (BIGBROTR_KAFKA__BOOTSTRAP_"),
        ("sink", {"BIGBROTR_POSTGRES__DSN": ""}, "postgres.dsn (BIGBROTR_POSTGRES__DSN)"),
        ("sink", {"BIGBROTR_SINK__BATCH_EVENTS": "many"}, "sink.batch_events (BIGBROTR_SINK__BATCH_EVENTS)"),
        ("sink", {"BIGBROTR_POSTGRES__PASSWORD_FILE": "/run/secrets/none"}, "BIGBROTR_POSTGRES__PASSWORD_FILE: "),
        ("sink", {"BIGBROTR_SINKS__BATCH_EVENTS": "5"}, "BIGBROTR_SINKS__BATCH_EVENTS"),
    ],
)
def test_missing_and_wrong_settings_end_with_2(name: str, env: dict[str, str], words: str) -> None:
    with pytest.raises(DockerError) as refused:
        run("bigbrotr", "service", name, **(NAMED | env))
    assert "exit code 2: Error: in the settings: " in str(refused.value)
    assert words in str(refused.value)
    assert "Traceback" not in str(refused.value)
