"""The wheel in an environment of its own, as pipx makes one, with an empty home.

`make test-wheel` runs it. Kafka's jars are taken from the cache of this user, which the first start fills.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hatchling.build import build_wheel

from deploy.embedded.paths import cache_root
from schemas.examples.generate import build

ROOT = Path(__file__).resolve().parents[2]
EVENTS = 2000
RUN_S = 100
"""A demo takes 20 s; a busy machine much longer."""
EVERY_MODULE = """
import importlib, pkgutil
for top in ("bigbrotr", "schemas", "core", "producers", "processors", "sinks", "api", "deploy"):
    package = importlib.import_module(top)
    assert "site-packages" in package.__file__, package.__file__
    for found in pkgutil.walk_packages(package.__path__, top + "."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
"""

pytestmark = [pytest.mark.wheel, pytest.mark.timeout(600)]

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        return folder / build_wheel(str(folder))


def install(programs: Path, *arguments: str | Path) -> None:
    # What nothing imports need not be compiled.
    pip = [str(programs / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-compile"]
    subprocess.run([*pip, *arguments], check=True)


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Path:
    """The programs of an environment with `bigbrotr` and without an extra."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    install(folder / "bin", "--require-hashes", "-r", ROOT / "requirements" / "service.lock")
    install(folder / "bin", "--no-deps", "--no-index", wheel)
    return folder / "bin"


@pytest.fixture(scope="session")
def whole(plain: Path) -> Path:
    """The same environment with `bigbrotr[demo]`; tests that ask for it come after those of the plain one."""
    install(plain, "--require-hashes", "-r", ROOT / "requirements" / "run.lock")
    return plain


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Run a program with an empty home and no variable of ours but that of the cache.

    The folder that it runs in has modules with names of ours, as that of a Django project may: they must not be loaded.
    """
    home, here = tmp_path / "home", tmp_path / "here"
    home.mkdir()
    for name in ("core", "deploy"):
        (here / name).mkdir(parents=True)
        (here / name / "__init__.py").write_text("raise ImportError('a module of the folder that the user is in')\n")
    base: Mapping[str, str] = {
        "HOME": str(home),
        "PATH": os.environ["PATH"],
        "LANG": "C.UTF-8",
        "BIGBROTR_CACHE_DIR": str(cache_root()),
    }

    def call(program: Path, *arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, *arguments],
            cwd=here,
            env=base,
            input=text,
            capture_output=True,
            text=True,
            timeout=RUN_S,
            check=False,
        )

    return call


def test_without_an_extra_what_needs_no_server_works(plain: Path, command: Command) -> None:
    assert command(plain / "bigbrotr", "--help").returncode == 0
    assert command(plain / "bigbrotr", "--version").stdout.startswith("bigbrotr, version ")
    event = json.dumps(json.loads(build()["events"].value)["event"])
    verdict = command(plain / "bigbrotr", "verify", "-", text=f"{event}\n")
    assert verdict.returncode == 0, verdict.stderr
    status = command(plain / "bigbrotr", "status", "--json")
    assert status.returncode == 0, status.stderr
    assert json.loads(status.stdout)["services"] == []


def test_the_examples_are_below_the_prefix(plain: Path, command: Command) -> None:
    examples = plain.parent / "share" / "bigbrotr" / "examples"
    assert {path.name for path in examples.iterdir()} == {path.name for path in (ROOT / "examples").glob("*.*")}
    shown = command(plain / "python", str(examples / "consume.py"), "--help")
    assert shown.returncode == 0, shown.stderr
    assert "--from-beginning" in shown.stdout


def test_the_pages_of_the_api_are_in_it(plain: Path, command: Command) -> None:
    program = "import api, pathlib; print(pathlib.Path(api.__file__).parent)"
    installed = Path(command(plain / "python", "-I", "-c", program).stdout.strip())
    files = {path.relative_to(ROOT / "api") for path in (ROOT / "api").rglob("*.*") if "__pycache__" not in path.parts}
    assert {path.suffix for path in files} >= {".html", ".js", ".css"}
    assert {path for path in files if not (installed / path).is_file()} == set()


@pytest.mark.parametrize(
    ("arguments", "extra"),
    [
        (["demo", "--once"], "demo"),
        (["embedded", "start"], "embedded"),
        (["run", "--relay", "wss://relay.example.com"], "embedded"),
        (["digest"], "embedded"),
    ],
)
def test_without_an_extra_a_command_names_the_one_that_it_needs(
    plain: Path, command: Command, arguments: list[str], extra: str
) -> None:
    done = command(plain / "bigbrotr", *arguments)
    assert done.returncode == 2, done.stderr
    assert f'pip install "bigbrotr[{extra}]"' in done.stderr
    assert "Traceback" not in done.stderr


def test_the_demo_archives_what_its_relays_offer(whole: Path, command: Command) -> None:
    done = command(whole / "bigbrotr", "demo", "--once", "--events", str(EVENTS), "--json")
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["complete"]
    assert outcome["offered"]["events"] == outcome["archived"]["events"] >= EVENTS


def test_every_module_is_found_and_imports_nothing_that_is_not_installed(whole: Path, command: Command) -> None:
    done = command(whole / "python", "-I", "-c", EVERY_MODULE)
    assert done.returncode == 0, done.stderr
